"""The attacks that must fail, with what stops each. The tests that show it are found by their marks."""

from __future__ import annotations

import attrs


@attrs.frozen
class Attack:
    """`gap`: what no test shows, and why; "" where nothing is missing."""

    row: str
    attack: str
    defence: str
    gap: str = ""


HOLES = (
    Attack(
        "A1", "A token parameter of any value skips sign-in and gate", "No parameter is read where sessions are opened"
    ),
    Attack("A2", "The caller brings the rule", "The stored rule decides; unknown fields are refused"),
    Attack(
        "A3", "A playback token as sign-in, or renewed for ever", "It opens bytes of one session and is no credential"
    ),
    Attack("A4", "Open where something is away", "Unknown is 503, in the gate and wherever it is asked"),
    Attack("A5", "Strangers edit gates", "Owners, moderators and administrators alone"),
    Attack(
        "A6",
        "Work on another's content overwrites or deletes it",
        "Each route asks who owns it; objects have our own names",
    ),
    Attack("A7", "An amount of zero passes", "At least one, on every chain, told from no account at all"),
    Attack(
        "A8",
        "One answer is kept for another question, a failure as a no",
        "A question is all of its fields; unknown is not kept",
    ),
    Attack(
        "A9",
        "Requests to inside",
        "One client for addresses that users give, checked at each hop; decoders without a network",
    ),
    Attack(
        "A10",
        "Services behind the gateway trust whoever asks",
        "Each checks credentials itself; the bus is sealed by role",
    ),
    Attack(
        "A11",
        "Limits are dodged by a header or a path; challenges fill the store",
        "Counted by who connected; a challenge is no row",
    ),
    Attack(
        "A12",
        "Playback outlives the sale and the sign-in",
        "Leases, transfers that are heard of, sessions that end with their sign-in",
    ),
    Attack("A13", "Secrets in code, logs, pages", "A type that hides itself, keys of one purpose each, redacted logs"),
    Attack("A14", "Declared sizes are believed", "Bytes are counted as they come; parts expire"),
)

ATTACKS = (
    Attack(
        "B1",
        "Signature replay",
        "Signed challenges of five minutes, used up once in the sign-in's transaction, bound to the browser that asked",
    ),
    Attack(
        "B2", "Phishing on another domain", "Domain and URI are compared with the configured origin; Host is never read"
    ),
    Attack("B3", "A message written anew, lines slipped in", "Strict parsers over the exact bytes that were signed"),
    Attack(
        "B4",
        "Sign-in for another chain",
        "CAIP-2 ids of an allow list; a contract wallet is somebody on its own chain alone",
    ),
    Attack(
        "B5",
        "Typed data that is a permit",
        "A type and domain of our own, made of text fields; what callers send of types is refused",
    ),
    Attack(
        "B6",
        "A contract wallet that accepts everything, or changes its mind",
        "It is itself and nobody else, asked again at each refresh, with capped gas and time",
    ),
    Attack(
        "B7",
        "Malleable signatures, odd v, the zero address",
        "Low s, v of 0, 1, 27 or 28, a signer that is the account",
    ),
    Attack("B8", "A memo transaction as sign-in", "No transaction is a sign-in (decision 0069)"),
    Attack(
        "B9",
        "Cookie theft, forgery, fixation",
        "HttpOnly, SameSite=Strict, Origin checked, a new one at each sign-in and refresh",
    ),
    Attack("B10", "Refresh-token theft", "Rotation; reuse ends the sign-in and its playback"),
    Attack(
        "B11",
        "Playback addresses are shared",
        "One session each, a lease, so many sessions a person, one stream a token",
        "no watermark: what an authorised viewer copies is not traced",
    ),
    Attack(
        "B12",
        "Hot links and guessed paths",
        "Media paths carry a session's mark; everything else is refused, for every route of the description",
    ),
    Attack(
        "B13",
        "Ungated side files",
        "Init segments, playlists, manifests, captions, chapters and storyboards hang on the same session; a preview "
        "has no storyboard; uploads cannot be read back; posters are for whoever may see that the content exists "
        "(decision 0091)",
    ),
    Attack("B14", "Past the server to the store", "The bucket answers signed requests alone"),
    Attack("B15", "The token is sold after sign-in", "Transfers end sessions at once; else the lease does"),
    Attack(
        "B16",
        "One token, many wallets in turn",
        "One stream a token: who has it takes over; where none can be told apart, one for all a vault delegated to",
        "what cannot be told apart and is passed on plays with who had it until that is heard, at most for a lease",
    ),
    Attack(
        "B17",
        "A token borrowed for a block",
        "Confirmations, finality, or held for so long",
    ),
    Attack("B18", "A collection of the same name", "Exact contracts and mints"),
    Attack(
        "B19",
        "Forged traits in metadata",
        "Rules name contracts, ids and amounts; none reads traits",
    ),
    Attack(
        "B20",
        "Contracts that revert, loop or flood",
        "Gas, byte and time caps, kept apart from their neighbours, left out for a while",
    ),
    Attack("B21", "Nodes that lie or lag", "A quorum at one block, a limit to lag, chain ids checked, three values"),
    Attack(
        "B22",
        "Nodes that are away, to shut others out or to get in",
        "Unknown opens nothing and is not kept as a no; a bounded grace for who was in",
    ),
    Attack("B23", "Reorganisations", "Held some blocks ago, too, or at the chain's safe or finalized block"),
    Attack(
        "B24", "Between check and use", "What is handed out is good as long as the reading it rests on, plus one lease"
    ),
    Attack(
        "B25",
        "Confused delegation",
        "Asked of the registry for the contract itself, with each reading",
    ),
    Attack(
        "B26", "Forged tokens", "One algorithm, keys from our table by kid, audience and type, rotation with overlap"
    ),
    Attack(
        "B27",
        "Private answers in shared caches",
        "no-store on tokens and playlists, segments asked about each time, strangers' forwarding headers not read",
    ),
    Attack(
        "B28",
        "Media keys leak",
        "Only by a session that may watch, at a pace, kept by no cache; several for each video, and new ones on demand",
    ),
    Attack(
        "B29",
        "Requests to inside by webhook, import, endpoint",
        "All addresses of a name are checked, the checked one is connected to; nodes are the operator's",
    ),
    Attack("B30", "Gateways of IPFS and Arweave", "Metadata of tokens is not followed, so none is asked"),
    Attack(
        "B31", "Media that reads files or the network", "Formats of an allow list by file object, in a sandboxed child"
    ),
    Attack("B32", "Decoder bombs", "Limits before decoding, rlimits, a wall clock"),
    Attack(
        "B33",
        "Archive and XML bombs",
        "Compressed answers are refused, nested bodies bounded",
        "nothing reads archives or XML of users",
    ),
    Attack("B34", "Path traversal", "Ids alone name what is on disk; strict patterns after one decoding"),
    Attack("B35", "Lines slipped into playlists, headers, log", "Serialisers of our own; file names are tidied"),
    Attack("B36", "Scripts in the page, framing", "CSP without inline scripts, frame-ancestors, exact origins"),
    Attack("B37", "Options slipped to the encoder", "No text of users reaches it: options are numbers of a plan"),
    Attack("B38", "Upload abuse", "Offsets compared under a lock, quotas, expiry"),
    Attack("B39", "One user starves all", "Fair leasing among owners, bounded queues"),
    Attack(
        "B40",
        "Transcoding by playback",
        "Made once, on upload; of a lazy rung each stretch once, few at a time; who asks for more comes back",
    ),
    Attack(
        "B41",
        "Exhausted stores, questions that cost the chain",
        "A challenge is no row; who is not signed in costs no read but for signatures that a contract wallet may have "
        "made: few for a challenge, an address and a wallet; limits by address and by wallet",
    ),
    Attack("B42", "A false worker, poisoned output", "Roles on the bus, results of the lease's holder alone, verified"),
    Attack(
        "B43",
        "The bus and internal routes when split",
        "NATS by credential and subject, seals checked by the receiver; nothing internal at the gateway",
    ),
    Attack(
        "B44",
        "Forged and repeated webhooks",
        "Standard Webhooks: id and time are signed; two secrets while they change",
    ),
    Attack("B45", "Tokens and wallets in logs and figures", "Redacted in every line; labels name kinds, never ids"),
    Attack("B46", "Plugins that crash or hang", "Time limits on hooks, faults are contained, declared needs"),
    Attack(
        "B47",
        "What exists, and who may watch it, by answers and time",
        "One answer for unknown and hidden; constant-time comparisons",
        "times are not measured: too noisy to hold a build to",
    ),
    Attack(
        "B48",
        "Recording by an authorised viewer",
        "What is kept of encrypted contents shows nothing without a key",
        "cannot be prevented, and is not promised",
    ),
)

// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// For tests alone, and ours: it is not delegate.xyz's registry, and only answers as that one's version 2 does.
contract TestRegistry {
    struct Delegation {
        uint8 type_;
        address to;
        address from;
        bytes32 rights;
        address contract_;
        uint256 tokenId;
        uint256 amount;
    }

    mapping(address to => Delegation[]) private incoming;

    function delegate(uint8 type_, address to, bytes32 rights, address contract_, uint256 tokenId, uint256 amount)
        external
    {
        incoming[to].push(Delegation(type_, to, msg.sender, rights, contract_, tokenId, amount));
    }

    /// All that the sender delegated to somebody.
    function revoke(address to) external {
        Delegation[] storage all = incoming[to];
        for (uint256 at = all.length; at > 0; at--) {
            if (all[at - 1].from == msg.sender) {
                all[at - 1] = all[all.length - 1];
                all.pop();
            }
        }
    }

    function getIncomingDelegations(address to) external view returns (Delegation[] memory) {
        return incoming[to];
    }
}

/// Tokens whose own description is hostile: `decimals` and `symbol` are what they were made with.
contract TestOddCoin {
    uint256 private immutable places;
    bytes private shown;

    constructor(uint256 decimals_, bytes memory symbol_) {
        places = decimals_;
        shown = symbol_;
    }

    function balanceOf(address) external pure returns (uint256) {
        return 1_500_000;
    }

    function decimals() external view returns (uint256) {
        return places;
    }

    function symbol() external view returns (string memory) {
        return string(shown);
    }
}

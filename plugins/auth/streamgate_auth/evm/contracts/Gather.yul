// SPDX-License-Identifier: MIT
//
// Many reads in one `eth_call` that creates this and keeps nothing: at one block, each with its own bound on gas and on
// bytes, so that a contract that reverts, loops or returns megabytes takes nothing from its neighbours.
//
// What follows this code:  gas for each call (4 bytes) | most bytes of results (4), then for each read
//                          kind (1: 0 call, 1 balance, 2 size of code) | address (20) | most bytes (2) | size (2) | data
// What it returns:         1 | chain id (32) | block number (32) | timestamp (32) | hash of the parent (32), then for each
//                          status (1) | length (2) | data
// Status: 0 reverted, 1 returned, 2 used up its gas, 3 returned more than it may, 4 not run (ask again).
object "Gather" {
    code {
        let start := datasize("Gather")
        let end := sub(codesize(), start)
        codecopy(0, start, end)
        let gasEach := shr(224, mload(0))
        let out := and(add(end, 63), not(31))
        let limit := add(out, shr(224, mload(4)))
        mstore8(out, 1) // also keeps the first byte from 0xEF, which EIP-3541 refuses
        mstore(add(out, 1), chainid())
        mstore(add(out, 33), number())
        mstore(add(out, 65), timestamp())
        mstore(add(out, 97), blockhash(sub(number(), 1)))
        let to := add(out, 129)
        for { let at := 8 } lt(at, end) { } {
            let head := mload(at)
            let target := shr(96, shl(8, head))
            let most := and(shr(72, head), 0xffff)
            let size := and(shr(56, head), 0xffff)
            at := add(at, 25)
            let status := 4
            let length := 0
            switch byte(0, head)
            case 0 {
                // A call gets at most 63/64 of what is left (EIP-150). Beside it: a cold account, our own steps, and
                // 200 for each byte that we return.
                let kept := add(40000, mul(200, add(sub(to, out), most)))
                if and(gt(gas(), add(kept, div(mul(gasEach, 64), 63))), lt(add(to, most), limit)) {
                    let before := gas()
                    status := staticcall(gasEach, target, at, size, 0, 0)
                    if iszero(or(status, lt(sub(before, gas()), gasEach))) { status := 2 }
                    if eq(status, 1) {
                        length := returndatasize()
                        if gt(length, most) {
                            status := 3
                            length := 0
                        }
                        returndatacopy(add(to, 3), 0, length)
                    }
                }
            }
            default {
                if lt(add(to, 35), limit) {
                    status := 1
                    length := 32
                    switch byte(0, head)
                    case 1 { mstore(add(to, 3), balance(target)) }
                    default { mstore(add(to, 3), extcodesize(target)) }
                }
            }
            mstore8(to, status)
            mstore8(add(to, 1), shr(8, length))
            mstore8(add(to, 2), length)
            to := add(add(to, 3), length)
            at := add(at, size)
        }
        return(out, sub(to, out))
    }
}

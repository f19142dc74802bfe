// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// For tests alone. Whatever is called, it does what it was made for.
contract TestHostile {
    uint256 private immutable mode;

    constructor(uint256 chosen) {
        mode = chosen;
    }

    fallback() external {
        uint256 chosen = mode;
        assembly {
            switch chosen
            case 0 {
                revert(0, 0)
            }
            case 1 {
                for {} 1 {} {}
            }
            case 2 {
                return(0, 0x80000) // half a mebibyte: nearly all that a million of gas pays for
            }
            case 3 {
                revert(0, 0x20000) // a reason of 128 KiB
            }
            case 4 {
                invalid()
            }
            case 5 {
                // calls itself with all that is left, as deep as it goes, and swallows what becomes of it
                pop(staticcall(gas(), address(), 0, 0, 0, 0))
                mstore(0, 1)
                return(0, 32)
            }
            default {
                return(0, 64) // two words
            }
        }
    }
}

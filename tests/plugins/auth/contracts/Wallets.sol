// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

// Wallets that are contracts, good and bad. For tests.

/// As Safe decides: so many owners must have signed the very digest, their signatures one after another, in the order
/// of their addresses.
contract ThresholdWallet {
    address[] public owners;
    uint256 public threshold;

    constructor(address[] memory owners_, uint256 threshold_) {
        owners = owners_;
        threshold = threshold_;
    }

    /// Anybody may: that is for tests.
    function swapOwner(address before, address after_) external {
        for (uint256 i = 0; i < owners.length; i++) {
            if (owners[i] == before) owners[i] = after_;
        }
    }

    function isValidSignature(bytes32 digest, bytes calldata signatures) external view returns (bytes4) {
        require(signatures.length >= threshold * 65, "too few signatures");
        address last;
        for (uint256 n = 0; n < threshold; n++) {
            bytes calldata one = signatures[n * 65:n * 65 + 65];
            address signer = ecrecover(digest, uint8(one[64]), bytes32(one[:32]), bytes32(one[32:64]));
            require(signer > last && isOwner(signer), "not an owner, or out of order");
            last = signer;
        }
        return 0x1626ba7e;
    }

    function isOwner(address one) public view returns (bool) {
        for (uint256 i = 0; i < owners.length; i++) {
            if (owners[i] == one) return true;
        }
        return false;
    }
}

/// Makes threshold wallets at addresses that are known before.
contract WalletFactory {
    function make(address[] calldata owners, uint256 threshold, bytes32 salt) external returns (address) {
        return address(new ThresholdWallet{salt: salt}(owners, threshold));
    }

    function addressOf(address[] calldata owners, uint256 threshold, bytes32 salt) external view returns (address) {
        bytes32 code = keccak256(abi.encodePacked(type(ThresholdWallet).creationCode, abi.encode(owners, threshold)));
        return address(uint160(uint256(keccak256(abi.encodePacked(bytes1(0xff), address(this), salt, code)))));
    }
}

contract SaysYes {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0x1626ba7e;
    }
}

contract Loops {
    uint256 private turns;

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        while (gasleft() + turns > 0) {}
        return 0x1626ba7e;
    }

    fallback() external {
        while (true) turns++;
    }
}

/// As much as its gas allows, and the right word nowhere in it.
contract Floods {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            return(0x80, 900000)
        }
    }
}

contract Reverts {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        revert("0x1626ba7e");
    }
}

/// The right four bytes, which are no word.
contract AnswersShort {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            mstore(0, shl(224, 0x1626ba7e))
            return(0, 4)
        }
    }
}

/// Gives back what it was asked, whose first four bytes are the right ones.
contract Echoes {
    fallback() external {
        assembly {
            calldatacopy(0, 0, calldatasize())
            return(0, calldatasize())
        }
    }
}

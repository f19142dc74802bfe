// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// What a contract wallet says of a signature. Created by an `eth_call` without a receiver, so that nothing of it, nor
/// of what it calls, is ever written to a chain: the one word that its constructor "deploys" is the answer.
///
/// ERC-1271: isValidSignature(bytes32,bytes) must return its own selector, as one whole word. ERC-6492: a wallet that
/// is not there yet is made first by its factory. One that is there is never touched: its factory is not called.
contract Validator {
    uint256 private constant REFUSED = 0;
    uint256 private constant ACCEPTED = 1;
    uint256 private constant NO_CODE = 2;
    uint256 private constant NOT_MADE = 3;
    uint256 private constant TOO_LITTLE_GAS = 4;

    constructor(
        address wallet,
        bytes32 digest,
        bytes memory signature,
        address factory,
        bytes memory factoryCall,
        uint256 makeGas,
        uint256 askGas
    ) {
        uint256 word = verdict(wallet, digest, signature, factory, factoryCall, makeGas, askGas);
        assembly ("memory-safe") {
            mstore(0, word)
            return(0, 32)
        }
    }

    function verdict(
        address wallet,
        bytes32 digest,
        bytes memory signature,
        address factory,
        bytes memory factoryCall,
        uint256 makeGas,
        uint256 askGas
    ) private returns (uint256) {
        if (wallet.code.length == 0) {
            if (factory == address(0)) return NO_CODE;
            if (!has(makeGas)) return TOO_LITTLE_GAS;
            // Neither what it returns nor whether it succeeds matters, and the former may be megabytes: not copied.
            assembly ("memory-safe") {
                pop(call(makeGas, factory, 0, add(factoryCall, 32), mload(factoryCall), 0, 0))
            }
            if (wallet.code.length == 0) return NOT_MADE;
        }
        bytes memory question = abi.encodeWithSelector(0x1626ba7e, digest, signature);
        if (!has(askGas)) return TOO_LITTLE_GAS;
        bool accepted;
        assembly ("memory-safe") {
            mstore(0, 0)
            let answered := staticcall(askGas, wallet, add(question, 32), mload(question), 0, 32)
            let isWord := gt(returndatasize(), 31)
            accepted := and(and(answered, isWord), eq(mload(0), shl(224, 0x1626ba7e)))
        }
        return accepted ? ACCEPTED : REFUSED;
    }

    /// A call gets at most 63/64 of what is left (EIP-150), silently: less gas than it was promised must not become
    /// a refusal that the wallet never spoke.
    function has(uint256 gas_) private view returns (bool) {
        return gasleft() > gas_ + gas_ / 32 + 10_000;
    }
}

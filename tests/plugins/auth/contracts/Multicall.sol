// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// For tests alone: what we use of Multicall3's interface (https://www.multicall3.com).
contract TestMulticall {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }

    struct Result {
        bool success;
        bytes returnData;
    }

    function aggregate3(Call3[] calldata calls) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool worked, bytes memory said) = calls[i].target.call(calls[i].callData);
            require(worked || calls[i].allowFailure);
            results[i] = Result(worked, said);
        }
    }

    function getChainId() external view returns (uint256) {
        return block.chainid;
    }

    function getBlockNumber() external view returns (uint256) {
        return block.number;
    }

    function getEthBalance(address whose) external view returns (uint256) {
        return whose.balance;
    }
}

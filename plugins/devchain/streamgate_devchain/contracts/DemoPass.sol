// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// A collection for demonstrations: anybody mints to anybody. Ids count from 1.
contract DemoPass is ERC721 {
    uint256 public minted;

    constructor() ERC721("StreamGate Demo Pass", "PASS") {}

    function mint(address to) external returns (uint256 tokenId) {
        tokenId = ++minted;
        _mint(to, tokenId);
    }
}

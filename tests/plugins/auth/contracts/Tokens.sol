// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721Enumerable} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721Enumerable.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";

/// For tests alone: anybody mints to anybody.
contract TestCoin is ERC20 {
    constructor() ERC20("Test Coin", "COIN") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

contract TestItems is ERC1155 {
    constructor() ERC1155("https://items.example/{id}") {}

    function mint(address to, uint256 id, uint256 amount) external {
        _mint(to, id, amount, "");
    }
}

/// `tokenURI` of token 2 is far too long; its name has characters that move a cursor.
contract TestGallery is ERC721Enumerable {
    constructor() ERC721("Gal\x1b[2Jlery", "GLRY") {}

    function mint(address to, uint256 id) external {
        _mint(to, id);
    }

    function tokenURI(uint256 id) public pure override returns (string memory) {
        return id == 2 ? string(new bytes(100_000)) : "ipfs://bafy/1.json";
    }
}

/// Answers `true` to whatever it is asked: it must be taken for nothing by ERC-165.
contract TestLiar {
    fallback() external {
        assembly {
            mstore(0, 1)
            return(0, 32)
        }
    }
}

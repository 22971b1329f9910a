// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "Guide",
  dependencies: [.package(name: "tessera", path: "../..")],
  targets: [
    .executableTarget(
      name: "Guide",
      dependencies: [
        .product(name: "Tessera", package: "tessera"),
        .product(name: "TesseraFederation", package: "tessera"),
        .product(name: "TesseraRun", package: "tessera"),
      ]
    )
  ],
  swiftLanguageModes: [.v6]
)

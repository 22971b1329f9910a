// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "TrainClassifier",
  dependencies: [.package(name: "tessera", path: "../..")],
  targets: [
    .executableTarget(
      name: "TrainClassifier",
      dependencies: [.product(name: "Tessera", package: "tessera")]
    )
  ],
  swiftLanguageModes: [.v6]
)

// swift-tools-version: 6.2

import PackageDescription

// A package of its own: what a user of Tessera writes.
let core = Target.Dependency.product(name: "Tessera", package: "tessera")

let package = Package(
  name: "examples",
  dependencies: [.package(name: "tessera", path: "..")],
  targets: [
    .executableTarget(name: "TrainClassifier", dependencies: [core]),
    .executableTarget(
      name: "Attacks",
      dependencies: [
        core, .product(name: "TesseraFederation", package: "tessera"),
        .product(name: "TesseraRun", package: "tessera"),
      ]
    ),
    .executableTarget(
      name: "OwnJobs",
      dependencies: [
        core, .product(name: "TesseraConfiguration", package: "tessera"),
        .product(name: "TesseraFederation", package: "tessera"),
        .product(name: "TesseraRun", package: "tessera"),
      ]
    ),
    .executableTarget(
      name: "OwnFederation",
      dependencies: [
        core, .product(name: "TesseraConfiguration", package: "tessera"),
        .product(name: "TesseraFederation", package: "tessera"),
        .product(name: "TesseraFederationProgram", package: "tessera"),
      ]
    ),
    .executableTarget(
      name: "Guide",
      dependencies: [core, .product(name: "TesseraFederation", package: "tessera")]
    ),
  ],
  swiftLanguageModes: [.v6]
)

// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "benchmarks",
  dependencies: [.package(name: "tessera", path: "..")],
  targets: [
    .target(
      name: "CReference",
      dependencies: ["CLibTorchAPI"],
      linkerSettings: [.linkedLibrary("stdc++")]
    ),
    // The C++ API's headers lie beside ATen's; the same pkg-config file gives both libraries.
    .systemLibrary(name: "CLibTorchAPI", pkgConfig: "libtorch"),
    .executableTarget(
      name: "TesseraBenchmarks",
      dependencies: [
        "CReference",
        .product(name: "TesseraCore", package: "tessera"),
        .product(name: "TesseraData", package: "tessera"),
        .product(name: "TesseraNN", package: "tessera"),
        .product(name: "TesseraFederation", package: "tessera"),
      ],
      swiftSettings: [.treatAllWarnings(as: .error)]
    ),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx20
)

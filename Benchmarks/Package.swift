// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "benchmarks",
  dependencies: [
    .package(name: "tessera", path: ".."),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    .target(
      name: "CReference",
      dependencies: ["CLibTorchAPI"],
      linkerSettings: [.linkedLibrary("stdc++")]
    ),
    // The C++ API's headers lie beside ATen's; the same pkg-config file gives both libraries.
    .systemLibrary(name: "CLibTorchAPI", pkgConfig: "libtorch"),
    .target(name: "Measuring", swiftSettings: [.treatAllWarnings(as: .error)]),
    .executableTarget(
      name: "NetworkBenchmarks",
      dependencies: [
        "Measuring",
        .product(name: "SystemPackage", package: "swift-system"),
        .product(name: "TesseraCore", package: "tessera"),
        .product(name: "TesseraFederation", package: "tessera"),
        .product(name: "TesseraFederationGRPC", package: "tessera"),
        .product(name: "TesseraProvisioning", package: "tessera"),
      ],
      swiftSettings: [.treatAllWarnings(as: .error)]
    ),
    .target(
      name: "CSearchReference",
      dependencies: ["CLibTorchAPI"],
      linkerSettings: [.linkedLibrary("faiss"), .linkedLibrary("gomp"), .linkedLibrary("stdc++")]
    ),
    .executableTarget(
      name: "SearchBenchmarks",
      dependencies: [
        "CSearchReference", "Measuring",
        .product(name: "SystemPackage", package: "swift-system"),
        .product(name: "TesseraCore", package: "tessera"),
        .product(name: "TesseraRetrieval", package: "tessera"),
      ],
      swiftSettings: [.treatAllWarnings(as: .error)]
    ),
    .executableTarget(
      name: "TesseraBenchmarks",
      dependencies: [
        "CReference", "Measuring",
        .product(name: "TesseraCore", package: "tessera"),
        .product(name: "TesseraData", package: "tessera"),
        .product(name: "TesseraNN", package: "tessera"),
        .product(name: "TesseraFederation", package: "tessera"),
        .product(name: "TesseraRetrieval", package: "tessera"),
      ],
      swiftSettings: [.treatAllWarnings(as: .error)]
    ),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx20
)

// swift-tools-version: 6.2

import PackageDescription

/// What every Swift target is built with.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .enableUpcomingFeature("InferIsolatedConformances"),
  .treatAllWarnings(as: .error),
]

let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let package = Package(
  name: "tessera",
  products: [
    .library(name: "Tessera", targets: ["Tessera"]),
    .library(name: "TesseraCore", targets: ["TesseraCore"]),
    .library(name: "TesseraNN", targets: ["TesseraNN"]),
    .library(name: "TesseraData", targets: ["TesseraData"]),
    .library(name: "TesseraTesting", targets: ["TesseraTesting"]),
    .library(name: "TesseraRun", targets: ["TesseraRun"]),
    .library(name: "TesseraConfiguration", targets: ["TesseraConfiguration"]),
    .library(name: "TesseraFederation", targets: ["TesseraFederation"]),
    .library(name: "TesseraRetrieval", targets: ["TesseraRetrieval"]),
    .library(name: "TesseraRetrievalFaiss", targets: ["TesseraRetrievalFaiss"]),
    .library(name: "TesseraRetrievalFederation", targets: ["TesseraRetrievalFederation"]),
    .library(name: "TesseraRetrievalTesting", targets: ["TesseraRetrievalTesting"]),
    .library(name: "TesseraProvisioning", targets: ["TesseraProvisioning"]),
    .library(name: "TesseraDeployment", targets: ["TesseraDeployment"]),
    .library(name: "TesseraFederationGRPC", targets: ["TesseraFederationGRPC"]),
    .library(name: "TesseraFederationProgram", targets: ["TesseraFederationProgram"]),
    .executable(name: "tessera", targets: ["TesseraCLI"]),
    .executable(name: "tessera-federation", targets: ["TesseraFederationCLI"]),
    .executable(name: "tessera-retrieval", targets: ["TesseraRetrievalCLI"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
    .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.0"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.0"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    .systemLibrary(name: "CLibTorch", pkgConfig: "libtorch"),
    .systemLibrary(name: "CSEALLibrary", pkgConfig: "seal"),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(
      name: "CJPEG",
      pkgConfig: "libturbojpeg",
      providers: [.apt(["libturbojpeg0-dev"])]
    ),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(
      name: "CEditLine",
      pkgConfig: "libedit",
      providers: [.apt(["libedit-dev"])]
    ),
    .systemLibrary(name: "CZip", pkgConfig: "libzip", providers: [.apt(["libzip-dev"])]),
    .systemLibrary(name: "CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .target(
      name: "CTessera",
      dependencies: ["CLibTorch"],
      cxxSettings: [
        .define("AT_PER_OPERATOR_HEADERS"), .headerSearchPath("GlooNames"),
        .treatAllWarnings(as: .error),
      ],
      linkerSettings: [.linkedLibrary("stdc++")]
    ),
    .target(
      name: "CSEAL",
      dependencies: ["CSEALLibrary"],
      cxxSettings: [.treatAllWarnings(as: .error)],
      linkerSettings: [.linkedLibrary("stdc++")]
    ),
    .systemLibrary(
      name: "CSentencePieceLibrary",
      providers: [.apt(["libsentencepiece-dev"])]
    ),
    .target(
      name: "CSentencePiece",
      dependencies: ["CSentencePieceLibrary"],
      cxxSettings: [.treatAllWarnings(as: .error)],
      linkerSettings: [
        .linkedLibrary("sentencepiece"), .linkedLibrary("sentencepiece_train"),
        .linkedLibrary("stdc++"),
      ]
    ),
    .systemLibrary(name: "CFaissLibrary", providers: [.apt(["libfaiss-dev"])]),
    // Faiss takes its products of matrices from LibTorch, and shares its threads.
    .target(
      name: "CFaiss",
      dependencies: ["CFaissLibrary", "CLibTorch"],
      cxxSettings: [.treatAllWarnings(as: .error)],
      linkerSettings: [.linkedLibrary("faiss"), .linkedLibrary("gomp"), .linkedLibrary("stdc++")]
    ),
    .target(name: "CProcess", cSettings: [.treatAllWarnings(as: .error)]),
    .target(
      name: "TesseraCore",
      dependencies: ["CTessera", "CZip", system],
      swiftSettings: strict
    ),
    .target(name: "TesseraNN", dependencies: ["TesseraCore"], swiftSettings: strict),
    .target(
      name: "TesseraTesting",
      dependencies: ["TesseraCore", "TesseraNN", system],
      swiftSettings: strict
    ),
    .testTarget(
      name: "TesseraCoreTests",
      dependencies: ["CTessera", "TesseraCore", "TesseraTesting", system],
      exclude: ["Fixtures"],
      swiftSettings: strict
    ),
    .testTarget(
      name: "TesseraNNTests",
      dependencies: ["TesseraCore", "TesseraNN", "TesseraTesting", system],
      exclude: ["Fixtures"],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraData",
      dependencies: ["TesseraCore", "CPNG", "CJPEG", "CZlib", system],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraRun",
      dependencies: ["TesseraCore", system, .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraConfiguration",
      dependencies: [system, .product(name: "Yams", package: "Yams")],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraFederation",
      dependencies: [
        "CProcess", "CSEAL", "TesseraCore", "TesseraNN", "TesseraData", "TesseraRun",
        "TesseraConfiguration", system,
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "CryptoExtras", package: "swift-crypto"),
      ],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraRetrieval",
      dependencies: [
        "CSentencePiece", "CZlib", "TesseraConfiguration", "TesseraCore", "TesseraNN",
        "TesseraData",
        "TesseraRun", system,
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraRetrievalFaiss",
      dependencies: ["CFaiss", "TesseraCore", "TesseraRetrieval", system],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraRetrievalFederation",
      dependencies: ["TesseraCore", "TesseraFederation", "TesseraNN", "TesseraRetrieval", system],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraRetrievalTesting",
      dependencies: ["TesseraRetrieval"],
      swiftSettings: strict
    ),
    .testTarget(
      name: "TesseraRetrievalTests",
      dependencies: [
        "TesseraCore", "TesseraNN", "TesseraData", "TesseraFederation", "TesseraRetrieval",
        "TesseraRetrievalFaiss", "TesseraRetrievalFederation", "TesseraRun",
        "TesseraRetrievalTesting",
        "TesseraTesting", system,
      ],
      exclude: ["Fixtures"],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraProvisioning",
      dependencies: [
        "TesseraConfiguration", system,
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "X509", package: "swift-certificates"),
      ],
      swiftSettings: strict
    ),
    .target(
      name: "Tessera",
      dependencies: ["TesseraCore", "TesseraNN", "TesseraData"],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraCommandLine",
      dependencies: [.product(name: "ArgumentParser", package: "swift-argument-parser")],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "TesseraFederationCLI",
      dependencies: ["TesseraFederationProgram"],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraFederationProgram",
      dependencies: [
        "CEditLine", "TesseraCommandLine", "TesseraConfiguration", "TesseraCore",
        "TesseraDeployment",
        "TesseraData", "TesseraFederation", "TesseraFederationGRPC", "TesseraProvisioning",
        "TesseraRun", system,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "X509", package: "swift-certificates"),
      ],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "TesseraRetrievalCLI",
      dependencies: [
        "TesseraCommandLine", "TesseraRetrieval", "TesseraRetrievalFaiss",
        "TesseraRetrievalFederation", "TesseraRun", system,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "TesseraCLI",
      dependencies: [
        "TesseraCommandLine",
        "TesseraCore", "TesseraNN", "TesseraData", "TesseraRun", "TesseraConfiguration",
        "TesseraFederation", system,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict
    ),
    .testTarget(
      name: "TesseraDataTests",
      dependencies: ["TesseraCore", "TesseraData", "TesseraTesting", system],
      exclude: ["Fixtures"],
      swiftSettings: strict
    ),
    .testTarget(
      name: "TesseraRunTests",
      dependencies: ["TesseraCore", "TesseraRun", "TesseraTesting", system],
      exclude: ["Fixtures"],
      swiftSettings: strict
    ),
    .testTarget(
      name: "TesseraConfigurationTests",
      dependencies: ["TesseraConfiguration", "TesseraCore", "TesseraTesting", system],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraDeployment",
      dependencies: [
        "CPostgreSQL", "TesseraCore", "TesseraConfiguration", "TesseraFederation",
        "TesseraProvisioning", "TesseraRun", system,
        .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "X509", package: "swift-certificates"),
      ],
      swiftSettings: strict
    ),
    .testTarget(
      name: "TesseraDeploymentTests",
      dependencies: [
        "TesseraCore", "TesseraConfiguration", "TesseraDeployment", "TesseraFederation",
        "TesseraProvisioning", "TesseraRun", "TesseraTesting", system,
        .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict
    ),
    .target(
      name: "TesseraFederationGRPC",
      dependencies: [
        "TesseraCore", "TesseraDeployment", "TesseraFederation", "TesseraProvisioning", system,
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOTLS", package: "swift-nio"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
        .product(name: "X509", package: "swift-certificates"),
      ],
      swiftSettings: strict
    ),
    .testTarget(
      name: "TesseraFederationGRPCTests",
      dependencies: [
        "TesseraCore", "TesseraData", "TesseraDeployment", "TesseraFederation",
        "TesseraFederationGRPC", "TesseraProvisioning", "TesseraRun", "TesseraTesting", system,
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      swiftSettings: strict
    ),
    .testTarget(
      name: "TesseraProvisioningTests",
      dependencies: [
        "TesseraConfiguration", "TesseraProvisioning", system,
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "X509", package: "swift-certificates"),
      ],
      swiftSettings: strict
    ),
    .testTarget(
      name: "TesseraFederationTests",
      dependencies: [
        "TesseraCore", "TesseraNN", "TesseraConfiguration", "TesseraData", "TesseraFederation",
        "TesseraRun", "TesseraTesting", system,
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      exclude: ["Fixtures"],
      swiftSettings: strict
    ),
  ],
  cxxLanguageStandard: .cxx20
)

// The run of the address sanitizer is after what calls C: the rest of the package, which takes longest to build, is left out.
if Context.environment["TESSERA_ONLY_CORE"] != nil {
  let core: Set = [
    "CLibTorch", "CTessera", "CPNG", "CJPEG", "CZlib", "CZip", "Tessera", "TesseraCore",
    "TesseraNN",
    "TesseraData", "TesseraTesting", "TesseraCoreTests", "TesseraNNTests", "TesseraDataTests",
  ]
  package.targets.removeAll { !core.contains($0.name) }
  package.products.removeAll { !core.contains($0.name) }
}

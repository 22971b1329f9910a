internal import Foundation
internal import TesseraCore

/// What a run was made with.
public enum Versions {
  /// Those that the bits of a result may depend on.
  public static let decisive = ["libtorch", "machine", "instructions"]

  /// Tessera's version.
  public static let tessera = "0.1.0"

  /// The versions of Tessera, LibTorch, Swift and the system, and the kind of processor.
  public static var current: [String: String] {
    let os = ProcessInfo.processInfo.operatingSystemVersionString
    #if arch(x86_64)
    let machine = "x86_64"
    #elseif arch(arm64)
    let machine = "aarch64"
    #else
    let machine = "unknown"
    #endif
    #if swift(>=6.4)
    let swift = "6.4 or later"
    #else
    let swift = "6.3"
    #endif
    return [
      "tessera": tessera, "libtorch": libTorchVersion, "swift": swift, "system": os,
      "machine": machine, "instructions": processorCapability,
    ]
  }
}

extension RunManifest {
  /// What differs between the versions that the run was made with and these, as the end of a message.
  public var versionNote: String {
    let used = [versions] + laterVersions
    let differences = Versions.current.sorted { $0.key < $1.key }.compactMap { name, now in
      let others = Set(used.map { $0[name] ?? "unknown" }).subtracting([now]).sorted()
      return others.isEmpty
        ? nil : "\(name) \(others.joined(separator: " and ")) (here \(now))"
    }
    return differences.isEmpty ? "" : "; it was made with \(differences.joined(separator: ", "))"
  }
}

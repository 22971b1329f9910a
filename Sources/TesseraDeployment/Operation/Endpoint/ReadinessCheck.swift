public import Foundation
public import SystemPackage

/// One of the things that must hold for a program to be of use.
public struct ReadinessCheck: Sendable {
  /// What is looked at, in a word.
  public var name: String
  /// Looks, and says what is wrong: nothing if `nil`.
  ///
  /// May take its time: it is called from a thread for that.
  public var problem: @Sendable () -> String?

  /// A check.
  ///
  /// - Parameters:
  ///   - name: What is looked at, in a word.
  ///   - problem: Looks, and says what is wrong: nothing if `nil`.
  public init(_ name: String, _ problem: @escaping @Sendable () -> String?) {
    self.name = name
    self.problem = problem
  }

  /// That the certificate is good.
  ///
  /// - Parameters:
  ///   - start: When it begins.
  ///   - end: When it ends.
  /// - Returns: The check.
  public static func certificate(from start: Date, until end: Date) -> ReadinessCheck {
    ReadinessCheck("certificate") {
      let now = Date()
      if now > end { return "the certificate ended \(end.ISO8601Format())" }
      if now < start { return "the certificate begins \(start.ISO8601Format())" }
      return nil
    }
  }

  /// That a folder can be written: a file is made in it, and removed.
  public static func writable(_ folder: FilePath, name: String = "store") -> ReadinessCheck {
    ReadinessCheck(name) { FolderTrial.problem(of: folder) }
  }

  /// That there is a connection to the server.
  public static func connected(_ isConnected: @escaping @Sendable () -> Bool) -> ReadinessCheck {
    ReadinessCheck("server") { isConnected() ? nil : "there is no connection to the server" }
  }
}

/// Whether a folder takes files.
enum FolderTrial {
  /// Why no file can be written into a folder; `nil` if one can.
  static func problem(of folder: FilePath) -> String? {
    let path = folder.appending(".tessera-trial-\(UUID().uuidString)")
    do {
      let file = try FileDescriptor.open(
        path,
        .writeOnly,
        options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: [.ownerReadWrite]
      )
      defer { unlink(path.string) }
      try file.closeAfter { _ = try file.writeAll(Array("tessera\n".utf8)) }
      return nil
    } catch {
      return "\(folder) cannot be written: \(error)"
    }
  }
}

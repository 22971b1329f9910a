internal import Crypto
internal import Foundation
public import SystemPackage
public import TesseraCore

/// SHA-256 digests of what a run reads and makes, as hexadecimal text.
public enum Digest {
  /// The digest of a tensor: of its name, dtype, shape and elements.
  public static func sha256(of tensor: Tensor, named name: String) throws -> String {
    var hash = SHA256()
    let head = "\(name)\0\(tensor.dtype)\0\(tensor.shape.map(String.init).joined(separator: ","))\0"
    hash.update(data: Data(head.utf8))
    try tensor.withBytes { hash.update(bufferPointer: $0) }
    return text(hash.finalize())
  }

  /// The digests of a model's tensors, and of the model: of their digests, in the model's order.
  public static func sha256(
    of state: ModelState
  ) throws -> (model: String, tensors: [String: String]) {
    var hash = SHA256()
    var tensors: [String: String] = [:]
    for (name, tensor) in state.entries {
      let digest = try sha256(of: tensor, named: name)
      tensors[name] = digest
      hash.update(data: Data(digest.utf8))
    }
    return (text(hash.finalize()), tensors)
  }

  /// The digest of a text as UTF-8, and that of a file that holds it.
  public static func sha256(ofText text: String) -> String {
    self.text(SHA256.hash(data: Data(text.utf8)))
  }

  /// The digest of bytes, and that of a file that holds them.
  public static func sha256(of bytes: [UInt8]) -> String {
    text(SHA256.hash(data: bytes))
  }

  /// The digest of a file's bytes.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - progress: Is called each mebibyte; what it throws ends it.
  /// - Returns: The digest, hexadecimal.
  /// - Throws: ``RunError`` if it cannot be read.
  public static func sha256(
    ofFile path: FilePath,
    progress: () throws -> Void = {}
  ) throws -> String {
    guard let file = FileHandle(forReadingAtPath: path.string) else {
      throw RunError(code: .notARecord, message: "cannot read \(path)")
    }
    defer { try? file.close() }
    var hash = SHA256()
    while let chunk = try file.read(upToCount: 1 << 20), !chunk.isEmpty {
      hash.update(data: chunk)
      try progress()
    }
    return text(hash.finalize())
  }

  /// One digest of several files: what `sha256sum FILES | sha256sum` prints in `folder`, the files in the order of their names.
  ///
  /// - Parameters:
  ///   - paths: The files.
  ///   - folder: Where they are, for their names.
  ///   - progress: Is called each mebibyte; what it throws ends it.
  /// - Returns: The digest, hexadecimal.
  /// - Throws: ``RunError`` naming the file that cannot be read.
  public static func sha256(
    ofFiles paths: [FilePath],
    in folder: FilePath,
    progress: () throws -> Void = {}
  ) throws -> String {
    let named = paths.map { path in
      var name = path
      _ = name.removePrefix(folder)
      return (name: name.string, path: path)
    }
    var hash = SHA256()
    for (name, path) in named.sorted(by: { $0.name < $1.name }) {
      hash.update(data: Data("\(try sha256(ofFile: path, progress: progress))  \(name)\n".utf8))
    }
    return text(hash.finalize())
  }

  /// Bytes as small hexadecimal digits.
  package static func text(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { byte in
      let hex = String(byte, radix: 16)
      return hex.count == 1 ? "0" + hex : hex
    }.joined()
  }
}

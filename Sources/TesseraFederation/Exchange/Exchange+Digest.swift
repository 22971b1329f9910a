internal import Crypto
internal import Foundation
internal import TesseraCore
internal import TesseraRun

extension Exchange {
  /// SHA-256 of all that the exchange holds, as hexadecimal text: of equal exchanges the same, in every process.
  ///
  /// - Throws: `TensorError` if a tensor cannot be read.
  public func digest() throws -> String {
    var hash = SHA256()
    try add(to: &hash)
    return hash.finalize().map { String(format: "%02x", $0) }.joined()
  }

  private func add(to hash: inout SHA256) throws {
    func add(_ text: String) {
      // With its length, so that two lists of texts never look the same.
      hash.update(data: Data("\(text.utf8.count):\(text)".utf8))
    }
    add(kind.name)
    add(returnCode.rawValue)
    add(try Digest.sha256(of: tensors).model)
    for (name, value) in metrics.sorted(by: { $0.key < $1.key }) {
      add(name)
      add("\(value.bitPattern)")
    }
    for (name, text) in headers.sorted(by: { $0.key < $1.key }) {
      add(name)
      add(text)
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf",
      negativeInfinity: "-inf",
      nan: "nan"
    )
    add(String(decoding: try encoder.encode(metadata), as: UTF8.self))
    add("\(metrics.count), \(headers.count), \(parts.count)")
    for (name, part) in parts.sorted(by: { $0.key < $1.key }) {
      add(name)
      try part.add(to: &hash)
    }
  }
}

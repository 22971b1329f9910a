internal import Crypto
internal import Foundation
internal import TesseraCore
internal import TesseraRun

extension Parcel {
  /// The SHA-256 digest of all that is announced, hexadecimal: of the outline, and of the content by the digests of its chunks.
  ///
  /// Both sides of a transfer come to the same, and none has to read the content for it. The digest is that of the line
  /// `tessera parcel 1`, the size of chunks, the digest of each, and the outline; texts stand behind their lengths, numbers
  /// behind each other with spaces between them, names in the order of their characters.
  public var digest: String {
    var hash = SHA256()
    hash.update(data: Data("tessera parcel 1\n\(chunkSize) \(digests.count)\n".utf8))
    for digest in digests { hash.update(data: digest.bytes) }
    outline.add(to: &hash)
    return Digest.text(hash.finalize())
  }
}

extension ExchangeOutline {
  fileprivate func add(to hash: inout SHA256) {
    func add(_ text: String) {
      // With its length, so that two lists of texts never look the same.
      hash.update(data: Data("\(text.utf8.count):\(text)".utf8))
    }
    func add(_ numbers: [Int]) { add(numbers.map(String.init).joined(separator: " ")) }
    func add(_ value: Double) { add(String(value.bitPattern)) }
    add(kind.name)
    add(returnCode.rawValue)
    add([tensors.count, metrics.count, headers.count, parts.count])
    for tensor in tensors {
      add(tensor.name)
      add(tensor.dtype.rawValue)
      add(tensor.shape)
    }
    for (name, value) in metrics.sorted(by: { $0.key < $1.key }) {
      add(name)
      add(value)
    }
    for (name, text) in headers.sorted(by: { $0.key < $1.key }) {
      add(name)
      add(text)
    }
    // What is not said is another text than any number.
    for number in [metadata.steps, metadata.samples, metadata.round, metadata.rounds] {
      add(number.map(String.init) ?? "-")
    }
    if let weight = metadata.weight { add(weight) } else { add("-") }
    for text in [metadata.contributor, metadata.algorithm] {
      add(text.map { "+\($0)" } ?? "-")
    }
    add([metadata.excluded.count, metadata.processing.count])
    for name in metadata.excluded { add(name) }
    for note in metadata.processing {
      add(note.algorithm)
      add([note.bytesBefore, note.bytesAfter, note.tensors.count, note.parameters.count])
      for name in note.tensors { add(name) }
      for (name, value) in note.parameters.sorted(by: { $0.key < $1.key }) {
        add(name)
        add(value)
      }
    }
    for (name, part) in parts.sorted(by: { $0.key < $1.key }) {
      add(name)
      part.add(to: &hash)
    }
  }
}

internal import Foundation
internal import SystemPackage
internal import TesseraCore
internal import TesseraRetrieval

/// Which model an index was made with: a file beside the index says where it lay then.
struct ModelOfIndex {
  /// The index.
  var index: FilePath

  private var file: FilePath { index.appending("model.path") }

  /// Notes where the model lies.
  func note(_ model: String) throws {
    let path = FilePath(FileManager.default.currentDirectoryPath).pushing(FilePath(model))
    try AtomicFile.write(path.lexicallyNormalized().string + "\n", to: file)
  }

  /// The model's folder: the one that is named, or the one that was noted.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/missingFile`` if neither is known.
  func folder(_ named: String?) throws -> FilePath {
    if let named { return FilePath(named) }
    guard let data = FileManager.default.contents(atPath: file.string) else {
      throw RetrievalError(
        code: .missingFile,
        message: "\(index) does not say where its model lies: name it by --model"
      )
    }
    return FilePath(String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines))
  }
}

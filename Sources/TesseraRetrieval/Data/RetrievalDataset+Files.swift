internal import Foundation
public import SystemPackage
internal import TesseraCore
internal import TesseraRun

extension RetrievalDataset {
  /// The names of the files.
  enum File {
    static let manifest = "dataset.json"
    static let concepts = "concepts.jsonl"
    static let pictures = "pictures.jsonl"
    static let pixels = "pictures.safetensors"
    static let captions = "captions.jsonl"
    static let pairs = "pairs.jsonl"
    static let data = [captions, concepts, pairs, pictures, pixels]
    /// The tensor in `pictures.safetensors`.
    static let tensor = "pictures"
  }

  /// What `dataset.json` holds.
  struct Manifest: Codable {
    /// The version of the layout that this program writes.
    static let current = 1
    var version: Int
    var description: DatasetDescription
    var counts: [String: Int]
    /// How many concepts each part has.
    var splits: [String: Int]
    /// The SHA-256 digests of the other files.
    var files: [String: String]
    var digest: String
  }

  /// Reads a data set from its folder.
  ///
  /// - Parameters:
  ///   - folder: The folder.
  ///   - isVerified: Whether the files' digests are compared with those in `dataset.json`: 0.1 s for 100 MB.
  /// - Throws: ``RetrievalError``, naming the file and, where there is one, the line, if a file is missing or damaged.
  public init(contentsOf folder: FilePath, isVerified: Bool = true) throws {
    let manifest = try Self.manifest(of: folder)
    let reader = DatasetReader(folder: folder)
    let concepts = try reader.concepts()
    let numbers = Dictionary(uniqueKeysWithValues: zip(concepts.map(\.id), 0...))
    let pictures = try reader.pictures(numbers)
    let pixels = try reader.pixels()
    let captions = try reader.captions(numbers)
    let pairs = try reader.pairs(numbers)
    func damaged(_ name: String, _ reason: String) -> RetrievalError {
      RetrievalError(code: .malformedFile, message: "\(folder.appending(name)) \(reason)")
    }
    let found = [
      (File.concepts, concepts.count), (File.pictures, pictures.count),
      (File.captions, captions.count), (File.pairs, pairs.count),
    ]
    for (name, count) in found where manifest.counts[name] != count {
      let expected = manifest.counts[name].map { "\($0)" } ?? "no number of them"
      throw damaged(name, "has \(count) lines; dataset.json says \(expected)")
    }
    if isVerified {
      for name in File.data {
        guard try Digest.sha256(ofFile: folder.appending(name)) == manifest.files[name] else {
          throw damaged(name, "is not what was written: its digest differs from dataset.json's")
        }
      }
    }
    guard Self.digest(of: manifest.files) == manifest.digest else {
      throw damaged(File.manifest, "is damaged: its digest is not that of its files")
    }
    do {
      try self.init(
        description: manifest.description,
        concepts: concepts,
        pictures: pictures,
        pixels: pixels,
        captions: captions,
        pairs: pairs,
        digest: manifest.digest
      )
    } catch let error as RetrievalError {
      throw RetrievalError(code: .malformedFile, message: "\(folder): \(error.message)")
    }
  }

  /// What `dataset.json` of a folder holds.
  static func manifest(of folder: FilePath) throws -> Manifest {
    let path = folder.appending(File.manifest)
    guard let data = FileManager.default.contents(atPath: path.string) else {
      throw RetrievalError(
        code: .missingFile,
        message: "\(folder) is no data set: \(path) cannot be read"
      )
    }
    func malformed(_ reason: String) -> RetrievalError {
      RetrievalError(code: .malformedFile, message: "\(path): \(reason)")
    }
    struct Version: Decodable { var version: Int }
    do {
      let version = try JSONDecoder().decode(Version.self, from: data).version
      guard version == Manifest.current else {
        throw malformed("its layout is of version \(version), not \(Manifest.current)")
      }
      return try JSONDecoder().decode(Manifest.self, from: data)
    } catch let error as DecodingError {
      throw malformed(error.fieldDescription)
    }
  }

  /// The digest of the whole, of those of the files.
  static func digest(of files: [String: String]) -> String {
    Digest.sha256(
      ofText: files.sorted { $0.key < $1.key }.map { "\($0.value)  \($0.key)\n" }.joined()
    )
  }
}

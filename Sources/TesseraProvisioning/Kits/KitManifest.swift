internal import Crypto
internal import Foundation
internal import SystemPackage

/// What a kit's fixed files must be, signed by the authority.
struct KitManifest: Codable, Hashable {
  /// The version of the kit's layout.
  var format = 1
  /// The federation.
  var project: String
  /// Whose kit it is.
  var participant: Participant
  /// The SHA-256 digest of each file, hexadecimal, by its path in the kit.
  var files: [String: String]

  static func digest(_ text: String) -> String {
    CertificateFile.hexadecimal(SHA256.hash(data: Data(text.utf8)))
  }

  /// Compares the files with the kit's.
  ///
  /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/altered``, naming the first file that is missing, added
  ///   or changed.
  func check(_ folder: FilePath, in place: FilePath, except free: Set<String>) throws {
    func altered(_ name: String, _ what: String) -> ProvisioningError {
      ProvisioningError(
        code: .altered,
        message: "\(folder.appending(name)) \(what): the kit is not what the authority signed"
      )
    }
    for (name, digest) in files.sorted(by: { $0.key < $1.key }) {
      let path = folder.appending(name)
      guard KitFile.exists(path) else { throw altered(name, "is missing") }
      guard Self.digest(try KitFile.text(path)) == digest else {
        throw altered(name, "was changed")
      }
    }
    let startup = folder.pushing(place)
    let found = (try? FileManager.default.contentsOfDirectory(atPath: startup.string)) ?? []
    for file in found.sorted() {
      let name = place.appending(file).string
      if files[name] == nil, !free.contains(name) { throw altered(name, "was added") }
    }
  }
}

internal import Foundation
internal import SwiftProtobuf
internal import TesseraDeployment

/// How a job's signed folder is divided into messages.
enum BundlePart {
  /// The most that a message carries of a file.
  static let chunkSize = 1 << 20
}

extension JobBundle {
  /// The bundle as messages: the signed list first, then each file.
  func parts(
    cloning original: String? = nil
  ) -> some Sequence<Tessera_Federation_V1_BundlePart> {
    let head = Tessera_Federation_V1_BundlePart.with {
      $0.head = .with {
        $0.manifest = manifestText
        $0.signature = signature
        $0.clonedFrom = original ?? ""
      }
    }
    let rest = files.lazy.flatMap { file in
      // A file without contents is one message, too.
      stride(from: 0, to: max(file.contents.count, 1), by: BundlePart.chunkSize).lazy.map {
        start in
        Tessera_Federation_V1_BundlePart.with {
          $0.file = .with {
            let first = file.contents.startIndex + start
            $0.path = file.path
            $0.bytes =
              file.contents[first..<min(first + BundlePart.chunkSize, file.contents.endIndex)]
          }
        }
      }
    }
    return [AnySequence([head]), AnySequence(rest)].lazy.joined()
  }
}

/// Puts a bundle together from messages.
struct BundleReader {
  private var head: Tessera_Federation_V1_BundleHead?
  private var files: [JobBundle.File] = []
  private var bytes = 0
  private let limits = JobBundle.Limits()

  /// Takes a message.
  ///
  /// - Throws: ``DeploymentError`` if it is more than a job may have.
  mutating func take(_ part: Tessera_Federation_V1_BundlePart) throws {
    switch part.part {
    case .head(let head): self.head = head
    case .file(let file):
      bytes += file.bytes.count
      guard head != nil, bytes <= limits.bytes, files.count <= limits.files,
        file.path.utf8.count <= limits.pathBytes
      else {
        throw DeploymentError(
          code: .invalidArgument,
          message: "a job has at most \(limits.files) files and \(limits.bytes) bytes"
        )
      }
      if let last = files.indices.last, files[last].path == file.path {
        files[last].contents.append(file.bytes)
      } else {
        files.append(JobBundle.File(path: file.path, contents: file.bytes))
      }
    case nil: break
    }
  }

  /// The bundle, and of which job it is a copy.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/altered`` if the files are not those that were signed.
  func bundle() throws -> (bundle: JobBundle, original: String?) {
    guard let head else {
      throw DeploymentError(code: .invalidArgument, message: "no job was handed in")
    }
    let bundle = try JobBundle(
      manifestText: head.manifest,
      signature: head.signature,
      files: files
    )
    return (bundle, head.clonedFrom.isEmpty ? nil : head.clonedFrom)
  }
}

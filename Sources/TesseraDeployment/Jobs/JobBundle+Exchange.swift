internal import Foundation
internal import TesseraCore
internal import TesseraFederation

extension TaskName {
  /// Take a job's signed folder, and answer with what the site brings into it.
  static let deploy = TaskName("deploy job")
  /// Make ready for the first round, with the sites of the roster.
  static let begin = TaskName("begin job")
  /// Say what the site is and has.
  static let describe = TaskName("describe site")
  /// Restart, shut down, or change how much is logged.
  static let operate = TaskName("operate site")
}

extension JobBundle {
  private static let kind = Exchange.Kind.custom("job")
  private static let manifestTensor = "manifest"
  private static let signatureTensor = "signature"
  private static let filePrefix = "files/"

  /// The bundle as it travels to sites: each file is a tensor of bytes, so that it goes in chunks that are verified, resumed and
  /// sent as any model's are.
  ///
  /// - Throws: `TensorError` if there is no memory for it.
  func exchange() throws -> Exchange {
    var tensors: [(name: String, tensor: Tensor)] = [
      (Self.manifestTensor, try Self.tensor(manifestText)),
      (Self.signatureTensor, try Self.tensor(signature)),
    ]
    for file in files where !file.contents.isEmpty {
      tensors.append((Self.filePrefix + file.path, try Self.tensor(file.contents)))
    }
    return Exchange(Self.kind, tensors: try ModelState(tensors))
  }

  /// A bundle that arrived.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/altered`` if it is none.
  init(_ exchange: Exchange, limits: Limits = Limits()) throws {
    guard exchange.kind == Self.kind, let list = exchange.tensors[Self.manifestTensor],
      let signature = exchange.tensors[Self.signatureTensor]
    else { throw DeploymentError(code: .altered, message: "what arrived is no job's folder") }
    let manifestText = try Self.data(list)
    var files: [File] = []
    for (name, tensor) in zip(exchange.tensors.names, exchange.tensors.tensors)
    where name.hasPrefix(Self.filePrefix) {
      files.append(
        File(path: String(name.dropFirst(Self.filePrefix.count)), contents: try Self.data(tensor))
      )
    }
    // Files without contents have no tensor; the list says that they are there.
    if let manifest = try? JSONDecoder().decode(Manifest.self, from: manifestText) {
      for entry in manifest.files where entry.bytes == 0 {
        files.append(File(path: entry.path, contents: Data()))
      }
    }
    try self.init(
      manifestText: manifestText,
      signature: try Self.data(signature),
      files: files,
      limits: limits
    )
  }

  private static func tensor(_ data: Data) throws -> Tensor {
    try data.withUnsafeBytes { try Tensor(bytes: $0, shape: [data.count], dtype: .uint8) }
  }

  private static func data(_ tensor: Tensor) throws -> Data {
    guard tensor.dtype == .uint8 else {
      throw DeploymentError(code: .altered, message: "the job's folder: a file is not of bytes")
    }
    return try tensor.withBytes { Data($0) }
  }
}

internal import Crypto
public import Foundation
public import SystemPackage
internal import TesseraCore
internal import TesseraFederation
public import TesseraProvisioning

/// A job's folder as it travels: its files, and a list of them that the submitter has signed.
///
/// Every site checks the signature itself before it looks at a file: the server can hold a job back, and change nothing in it.
///
///     let bundle = try JobBundle(of: "jobs/fashion", signedWith: StartupKit(contentsOf: "kits/ada"))
///     let submitter = try bundle.verify(knowing: kit.participants, revocations: kit.revocations)
///     try bundle.unpack(into: "work/fashion")
public struct JobBundle: Sendable, Hashable {
  /// A file of the folder.
  public struct File: Sendable, Hashable {
    /// Where it lies in the folder, with `/` between the parts.
    public var path: String
    /// What it holds.
    public var contents: Data
    /// Whether it is a program.
    public var isExecutable: Bool

    /// A file.
    public init(path: String, contents: Data, isExecutable: Bool = false) {
      self.path = path
      self.contents = contents
      self.isExecutable = isExecutable
    }
  }

  /// What is signed.
  struct Manifest: Sendable, Hashable, Codable {
    struct Entry: Sendable, Hashable, Codable {
      var path: String
      var bytes: Int
      var sha256: String
      var isExecutable: Bool
    }
    var format = 2
    var project: String
    var name: String
    var submitter: String
    /// When it was signed, as ISO 8601, and a number that was drawn for it: no two that are handed in are the same.
    var signed: String
    var nonce: String
    var files: [Entry]
  }

  /// How much a job's folder may hold.
  public struct Limits: Sendable, Hashable {
    /// How many files there may be.
    public var files = 10_000
    /// How many bytes they may have together.
    public var bytes = 512 << 20

    /// How many bytes a file's path may have.
    public let pathBytes = 512

    /// The usual limits.
    public init() {}
  }

  /// The files, in the order of their paths.
  public let files: [File]
  /// What of the folder stays where it is: `data.yml`, and the data that it names, for simulations.
  public private(set) var leftOut: [String] = []
  /// The list of files, as it was signed.
  public let manifestText: Data
  /// The submitter's signature of it.
  public let signature: Data
  let manifest: Manifest

  /// The job's name.
  public var name: String { manifest.name }
  /// Who says that the job is theirs.
  public var submitter: String { manifest.submitter }
  /// The SHA-256 digests of its files, hexadecimal, by their paths, as they were signed.
  var digests: [String: String] {
    Dictionary(manifest.files.map { ($0.path, $0.sha256) }) { first, _ in first }
  }
  /// The SHA-256 digest of the signed list, hexadecimal: it names the whole folder.
  public var digest: String { Hexadecimal.text(SHA256.hash(data: manifestText)) }

  private static let context = Data("tessera job 1\n".utf8)
  /// What the server's and the sites' own files in a job's place are called; a job has no files there.
  private static let manifestName = "manifest.json"
  private static let signatureName = "manifest.sig"
  private static let filesName: FilePath.Component = "files"

  /// Signs a folder.
  ///
  /// - Parameters:
  ///   - folder: Holds `job.yml` and what belongs to it.
  ///   - name: What `job.yml` calls the job.
  ///   - kit: The submitter's.
  ///   - limits: How much it may hold.
  /// - Throws: ``DeploymentError`` naming the file that cannot be part of a job.
  public init(
    of folder: FilePath,
    name: String,
    signedWith kit: StartupKit,
    limits: Limits = Limits()
  ) throws {
    guard kit.participant.kind == .user else {
      throw DeploymentError(
        code: .notAllowed,
        message: "\(kit.participant.name) is a \(kit.participant.kind.rawValue): users submit jobs"
      )
    }
    let own = try DataMapping.places(inFolderOfJob: folder)
    let files = try JobFolder.read(folder, limits: limits, leavingOut: own)
    try self.init(files, name: name, signedWith: kit)
    leftOut = own
  }

  /// Signs the files of another bundle anew.
  ///
  /// - Parameters:
  ///   - other: Whose files they are.
  ///   - kit: Who submits them.
  /// - Throws: ``DeploymentError``; `ProvisioningError` if the kit's key cannot be read.
  public init(copyOf other: JobBundle, signedWith kit: StartupKit) throws {
    try self.init(other.files, name: other.name, signedWith: kit)
  }

  private init(_ files: [File], name: String, signedWith kit: StartupKit) throws {
    let manifest = Manifest(
      project: kit.project,
      name: name,
      submitter: kit.participant.name,
      signed: Date().ISO8601Format(),
      nonce: Hexadecimal.text((0..<16).map { _ in UInt8.random(in: 0...255) }),
      files: files.map {
        Manifest.Entry(
          path: $0.path,
          bytes: $0.contents.count,
          sha256: Hexadecimal.text(SHA256.hash(data: $0.contents)),
          isExecutable: $0.isExecutable
        )
      }
    )
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    manifestText = try encoder.encode(manifest)
    let key = try Curve25519.Signing.PrivateKey(rawRepresentation: kit.signingKey())
    signature = try key.signature(for: Self.context + manifestText)
    self.files = files
    self.manifest = manifest
  }

  /// A bundle that arrived.
  ///
  /// - Parameters:
  ///   - manifestText: The list of files.
  ///   - signature: The signature of it.
  ///   - files: The files.
  ///   - limits: How much it may hold.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/altered`` if the files are not those of the list, or the list
  ///   is none.
  public init(
    manifestText: Data,
    signature: Data,
    files: [File],
    limits: Limits = Limits()
  ) throws {
    func altered(_ message: String) -> DeploymentError {
      DeploymentError(code: .altered, message: "the job's folder: \(message)")
    }
    let manifest = try Self.manifest(manifestText)
    guard manifest.files.count <= limits.files else {
      throw altered("it has \(manifest.files.count) files; the limit is \(limits.files)")
    }
    var ordered = files.sorted { $0.path < $1.path }
    guard ordered.map(\.path) == manifest.files.map(\.path) else {
      throw altered("its files are not those of the signed list")
    }
    var total = 0
    for (index, entry) in manifest.files.enumerated() {
      ordered[index].isExecutable = entry.isExecutable
      let file = ordered[index]
      try JobFolder.check(path: file.path)
      total += file.contents.count
      guard total <= limits.bytes else {
        throw altered("it has more than \(limits.bytes) bytes")
      }
      guard file.contents.count == entry.bytes,
        Hexadecimal.text(SHA256.hash(data: file.contents)) == entry.sha256
      else { throw altered("\(file.path) is not the file that was signed") }
    }
    guard ordered.contains(where: { $0.path == "job.yml" }) else {
      throw altered("it has no job.yml")
    }
    self.files = ordered
    self.manifestText = manifestText
    self.signature = signature
    self.manifest = manifest
  }

  /// Reads a list of files.
  private static func manifest(_ text: Data) throws -> Manifest {
    guard text.count <= 16 << 20,
      let manifest = try? JSONDecoder().decode(Manifest.self, from: text), manifest.format == 2,
      Job.isName(manifest.name)
    else {
      throw DeploymentError(
        code: .altered,
        message: "the job's folder: its list of files cannot be understood"
      )
    }
    return manifest
  }

  /// Says who submitted the job, if that is true.
  ///
  /// - Parameters:
  ///   - participants: The authority's list, with everybody's key.
  ///   - revocations: Certificates that are good no longer.
  /// - Returns: The person.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/altered`` if the signature is not that person's, with code
  ///   ``DeploymentError/Code/notAllowed`` if the person is not, or no longer, a user of the federation.
  public func verify(
    knowing participants: ParticipantList,
    revocations: RevocationList
  ) throws -> Person {
    try participants.signer(
      of: Self.context + manifestText,
      signature,
      named: manifest.submitter,
      in: manifest.project,
      revocations: revocations,
      subject: "the job \(name)"
    )
  }
}

extension JobBundle {
  /// Keeps the bundle in a folder, from which ``init(contentsOf:limits:)`` reads it again; the job's files lie in `files/`.
  ///
  /// A kill leaves a folder without a signature, which is no bundle, and can be written again.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotWrite``.
  public func unpack(into folder: FilePath) throws {
    do {
      let root = Self.files(in: folder)
      try FileManager.default.createDirectory(
        atPath: root.string,
        withIntermediateDirectories: true
      )
      for file in files {
        let path = root.pushing(FilePath(file.path))
        try FileManager.default.createDirectory(
          atPath: path.removingLastComponent().string,
          withIntermediateDirectories: true
        )
        try AtomicFile.write(to: path) { writer in
          try file.contents.withUnsafeBytes { try writer.write($0) }
        }
        guard !file.isExecutable || chmod(path.string, 0o755) == 0 else {
          throw Errno(rawValue: errno)
        }
      }
      try AtomicFile.write(
        String(decoding: manifestText, as: UTF8.self),
        to: folder.appending(Self.manifestName)
      )
      try AtomicFile.write(
        signature.base64EncodedString() + "\n",
        to: folder.appending(Self.signatureName)
      )
    } catch {
      throw DeploymentError(
        code: .cannotWrite,
        message: "the job \(name) cannot be kept in \(folder): \(error)"
      )
    }
  }

  /// Reads a bundle that ``unpack(into:)`` has kept.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead`` if there is none, with code
  ///   ``DeploymentError/Code/altered`` if its files are not those that were kept.
  public init(contentsOf folder: FilePath, limits: Limits = Limits()) throws {
    let files = FileManager.default
    guard let text = files.contents(atPath: folder.appending(Self.manifestName).string),
      let line = files.contents(atPath: folder.appending(Self.signatureName).string),
      let signature = Data(
        base64Encoded: String(decoding: line, as: UTF8.self)
          .trimmingCharacters(in: .whitespacesAndNewlines)
      )
    else { throw DeploymentError(code: .cannotRead, message: "\(folder) holds no job") }
    // What a job's programs have written beside its files is no part of it.
    let place = Self.files(in: folder)
    let kept = try Self.manifest(text).files.map { entry in
      try JobFolder.check(path: entry.path)
      let path = place.pushing(FilePath(entry.path))
      guard let contents = files.contents(atPath: path.string) else {
        throw DeploymentError(code: .altered, message: "\(path) is not there any longer")
      }
      return File(path: entry.path, contents: contents)
    }
    try self.init(manifestText: text, signature: signature, files: kept, limits: limits)
  }

  /// Where the job's own folder lies in that of its bundle.
  public static func files(in folder: FilePath) -> FilePath { folder.appending(filesName) }
}

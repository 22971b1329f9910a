internal import Crypto
internal import Foundation
internal import SystemPackage

/// A folder of a job in the database, within a transaction.
struct ReplicaFolder {
  private let connection: PostgreSQLConnection
  private let job: String

  init(_ connection: PostgreSQLConnection, _ job: String) {
    self.connection = connection
    self.job = job
  }

  private var place: [PostgreSQLConnection.Value] { [.text(job)] }

  /// What tells a file from all others.
  func key(_ path: String) -> String { "\(job)/\(path)" }

  /// The files that are there.
  func paths() throws -> [String] {
    try connection.query(
      "SELECT path FROM tessera_files WHERE job = $1::text ORDER BY path",
      place
    ).compactMap { $0.first?.text }
  }

  func remove(_ path: String) throws {
    try connection.query(
      "DELETE FROM tessera_files WHERE job = $1::text AND path = $2::text",
      place + [.text(path)]
    )
  }

  /// Stores what a file holds, except for chunks that are there already.
  func store(_ path: String, from file: FilePath) throws {
    try connection.query(
      """
      INSERT INTO tessera_files (job, path, bytes, digest) VALUES ($1::text, $2::text, 0, '') \
      ON CONFLICT DO NOTHING
      """,
      place + [.text(path)]
    )
    let stored = try connection.query(
      """
      SELECT digest FROM tessera_chunks WHERE job = $1::text AND path = $2::text \
      ORDER BY number
      """,
      place + [.text(path)]
    ).map { $0.first?.text ?? "" }
    var hash = SHA256()
    var (number, bytes) = (0, 0)
    try forEachChunk(of: file) { chunk in
      hash.update(data: chunk)
      let digest = Hexadecimal.text(SHA256.hash(data: chunk))
      if !stored.indices.contains(number) || stored[number] != digest {
        try connection.query(
          """
          INSERT INTO tessera_chunks (job, path, number, digest, content) \
          VALUES ($1::text, $2::text, $3, $4::text, $5::bytea) \
          ON CONFLICT (job, path, number) DO UPDATE SET digest = EXCLUDED.digest, content = EXCLUDED.content
          """,
          place + [.text(path), .integer(number), .text(digest), .bytes(chunk)]
        )
      }
      number += 1
      bytes += chunk.count
    }
    if stored.count > number {
      try connection.query(
        """
        DELETE FROM tessera_chunks WHERE job = $1::text AND path = $2::text AND number >= $3
        """,
        place + [.text(path), .integer(number)]
      )
    }
    try connection.query(
      """
      UPDATE tessera_files SET bytes = $3, digest = $4::text \
      WHERE job = $1::text AND path = $2::text
      """,
      place + [.text(path), .integer(bytes), .text(Hexadecimal.text(hash.finalize()))]
    )
  }

  /// Writes all files into a folder that is not there, or empty.
  func restore(into folder: FilePath) throws {
    let files = try connection.query(
      """
      SELECT path, bytes, digest FROM tessera_files WHERE job = $1::text ORDER BY path
      """,
      place
    )
    guard !files.isEmpty else {
      throw DeploymentError(
        code: .notFound,
        message: "\(connection.name) holds no copy of job \(job)"
      )
    }
    let manager = FileManager.default
    let contents = try? manager.contentsOfDirectory(atPath: folder.string)
    guard contents?.isEmpty ?? !manager.fileExists(atPath: folder.string) else {
      throw DeploymentError(code: .alreadyThere, message: "\(folder) is not an empty folder")
    }
    let staged = FilePath(folder.string + ".partial")
    try? manager.removeItem(atPath: staged.string)
    do {
      try manager.createDirectory(atPath: staged.string, withIntermediateDirectories: true)
      for row in files {
        guard row.count == 3, let path = row[0].text, let bytes = row[1].integer,
          let digest = row[2].text
        else { throw damaged("a file has no name") }
        try restore(path, bytes, digest, under: staged)
      }
      // An empty folder in its place gives way.
      guard rename(staged.string, folder.string) == 0 else { throw Errno(rawValue: errno) }
    } catch let error as DeploymentError {
      try? manager.removeItem(atPath: staged.string)
      throw error
    } catch {
      try? manager.removeItem(atPath: staged.string)
      throw DeploymentError(code: .cannotWrite, message: "\(folder) cannot be written: \(error)")
    }
  }

  private func restore(
    _ path: String,
    _ bytes: Int,
    _ digest: String,
    under folder: FilePath
  ) throws {
    let relative = FilePath(path)
    // The database is trusted with what is in the files, and with nothing beside the folder.
    guard relative.isRelative, relative.isLexicallyNormal,
      !relative.components.contains(where: { $0.kind != .regular })
    else { throw damaged("a file's name leads out of the folder") }
    let file = folder.pushing(relative)
    try FileManager.default.createDirectory(
      atPath: file.removingLastComponent().string,
      withIntermediateDirectories: true
    )
    let descriptor = try FileDescriptor.open(
      file,
      .writeOnly,
      options: [.create, .exclusiveCreate, .closeOnExec],
      // Among them are the secrets that noise comes from.
      permissions: [.ownerReadWrite]
    )
    var hash = SHA256()
    var count = 0
    try descriptor.closeAfter {
      var number = 0
      while count < bytes {
        let chunk = try connection.query(
          """
          SELECT content FROM tessera_chunks \
          WHERE job = $1::text AND path = $2::text AND number = $3
          """,
          place + [.text(path), .integer(number)],
          isBinary: true
        ).first?.first
        guard let chunk, let chunk, !chunk.isEmpty else { break }
        hash.update(data: chunk)
        _ = try descriptor.writeAll(chunk)
        count += chunk.count
        number += 1
      }
      guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }
    guard count == bytes, Hexadecimal.text(hash.finalize()) == digest else {
      throw DeploymentError(
        code: .altered,
        message: "\(connection.name): \(path) of job \(job) is not as it was stored"
      )
    }
  }

  private func damaged(_ what: String) -> DeploymentError {
    DeploymentError(code: .cannotRead, message: "\(connection.name) is damaged: \(what)")
  }

  private func forEachChunk(
    of file: FilePath,
    _ body: (ArraySlice<UInt8>) throws -> Void
  ) throws {
    do {
      let descriptor = try FileDescriptor.open(file, .readOnly, options: [.closeOnExec])
      try descriptor.closeAfter {
        var buffer = [UInt8](repeating: 0, count: RecordReplica.chunkSize)
        while true {
          var count = 0
          while count < buffer.count {
            let more = try buffer.withUnsafeMutableBytes {
              try descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[count...]))
            }
            if more == 0 { break }
            count += more
          }
          guard count > 0 else { return }
          try body(buffer[..<count])
        }
      }
    } catch let error as Errno {
      throw DeploymentError(code: .cannotRead, message: "cannot read \(file): \(error)")
    }
  }
}

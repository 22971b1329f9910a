internal import Crypto
internal import Foundation
internal import Synchronization
public import SystemPackage
public import TesseraDeployment

extension FederationConsole {
  /// Fetches what a job has made into a folder, and verifies it by the digests that the server tells.
  ///
  /// What has come lies in `FOLDER.part` until all of it is there and is what the server has: `FOLDER` is whole, or not there.
  /// Called again after an interruption, it goes on where it was broken off.
  ///
  /// - Parameters:
  ///   - id: The job's.
  ///   - folder: Where the files go. If it is there, and has all of them as they are, nothing is done.
  ///   - progress: Is told which file is fetched, and how many bytes of all are there.
  /// - Returns: The files, with their digests.
  /// - Throws: ``DeploymentError``: with code ``DeploymentError/Code/notFound`` if the job has made nothing, with code
  ///   ``DeploymentError/Code/alreadyThere`` if the folder has other contents, and with code ``DeploymentError/Code/altered`` if
  ///   what arrives is not what the server has.
  public func download(
    _ id: String,
    into folder: FilePath,
    progress: @escaping @Sendable (_ file: String, _ done: Int, _ total: Int) -> Void = { _, _, _ in
    }
  ) async throws -> [JobFileEntry] {
    let files = try await files(of: id)
    guard !files.isEmpty else {
      throw DeploymentError(code: .notFound, message: "job \(id) has made nothing yet")
    }
    if FileManager.default.fileExists(atPath: folder.string) {
      let place = ResultsPlace(folder)
      if let other = try files.first(where: { try !place.has($0) }) {
        throw DeploymentError(
          code: .alreadyThere,
          message: """
            \(folder) is there already, and \(other.path) in it is not what job \(id) has made: remove it, or name another folder
            """
        )
      }
      return files
    }
    let staged = FilePath(folder.string + ".part")
    let place = ResultsPlace(staged)
    try place.remove(except: files)
    let total = files.reduce(0) { $0 + $1.bytes }
    var (done, fetched) = (0, [JobFileEntry]())
    for entry in files {
      let before = done
      fetched.append(
        try await fetch(entry, of: id, into: place) { progress(entry.path, before + $0, total) }
      )
      done += entry.bytes
    }
    try place.becomes(folder)
    return fetched
  }

  /// Fetches one file that a job has made, and verifies it.
  ///
  /// - Parameters:
  ///   - path: As ``files(of:)`` has it.
  ///   - id: The job's.
  ///   - folder: Where it goes, by its path; it is replaced once the new one is whole.
  ///   - progress: Is told how many bytes are there.
  /// - Returns: The file, with its digest.
  /// - Throws: ``DeploymentError``, as ``download(_:into:progress:)``.
  public func download(
    _ path: String,
    of id: String,
    into folder: FilePath,
    progress: @escaping @Sendable (_ file: String, _ done: Int, _ total: Int) -> Void = { _, _, _ in
    }
  ) async throws -> JobFileEntry {
    guard let entry = try await files(of: id).first(where: { $0.path == path }) else {
      throw DeploymentError(code: .notFound, message: "job \(id) has made no file \(path)")
    }
    let place = ResultsPlace(folder, suffix: ".part")
    let fetched = try await fetch(entry, of: id, into: place) {
      progress(entry.path, $0, entry.bytes)
    }
    try place.finish(entry)
    return fetched
  }

  /// Fetches what is missing of a file, and verifies all of it.
  private func fetch(
    _ wanted: JobFileEntry,
    of id: String,
    into place: ResultsPlace,
    _ progress: @escaping @Sendable (Int) -> Void
  ) async throws -> JobFileEntry {
    var entry = wanted
    for attempt in 1...3 {
      let file = try place.open(entry)
      if file.count < entry.bytes {
        try await download(entry.path, of: id, from: file.count, length: entry.bytes - file.count) {
          try file.append($0)
          progress(file.count)
        }
      }
      if try file.close() == entry.digest { return entry }
      try place.remove(entry)
      // A job that goes on may have written the file anew meanwhile.
      guard attempt < 3, let now = try await files(of: id).first(where: { $0.path == entry.path })
      else { break }
      entry = now
    }
    throw DeploymentError(
      code: .altered,
      message: "\(entry.path) of job \(id) did not arrive as the server has it, three times over"
    )
  }
}

/// Where results are put while they arrive.
private struct ResultsPlace: Sendable {
  private let folder: FilePath
  /// What a file that is not whole has after its name.
  private let suffix: String

  init(_ folder: FilePath, suffix: String = "") {
    self.folder = folder
    self.suffix = suffix
  }

  private func path(of entry: JobFileEntry) throws -> FilePath {
    let relative = FilePath(entry.path).lexicallyNormalized()
    guard relative.isRelative, relative.components.first?.kind == .regular else {
      throw DeploymentError(code: .altered, message: "the server names a file outside of the job")
    }
    return folder.pushing(relative)
  }

  /// Whether a file is there, as the server has it.
  func has(_ entry: JobFileEntry) throws -> Bool {
    let path = try path(of: entry)
    guard
      let attributes = try? FileManager.default.attributesOfItem(atPath: path.string),
      (attributes[.size] as? NSNumber)?.intValue == entry.bytes
    else { return false }
    return try FileDigest.of(path) == entry.digest
  }

  /// A file, with what of it is there already.
  func open(_ entry: JobFileEntry) throws -> ResultFile {
    let path = FilePath(try path(of: entry).string + suffix)
    do {
      try FileManager.default.createDirectory(
        atPath: path.removingLastComponent().string,
        withIntermediateDirectories: true
      )
    } catch {
      throw DeploymentError(
        code: .cannotWrite,
        message: "\(path.removingLastComponent()) cannot be made: \(error)"
      )
    }
    return try ResultFile(path, atMost: entry.bytes)
  }

  func remove(_ entry: JobFileEntry) throws {
    try? FileManager.default.removeItem(atPath: try path(of: entry).string + suffix)
  }

  /// Removes what an earlier download has left and the job has no longer.
  func remove(except files: [JobFileEntry]) throws {
    let kept = Set(files.map(\.path))
    guard let names = FileManager.default.enumerator(atPath: folder.string) else { return }
    while let name = names.nextObject() as? String {
      let path = folder.pushing(FilePath(name)).string
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
        !isFolder.boolValue,
        !kept.contains(name)
      else { continue }
      try? FileManager.default.removeItem(atPath: path)
    }
  }

  /// The file is whole: it takes its place.
  func finish(_ entry: JobFileEntry) throws {
    let path = try path(of: entry)
    guard rename(path.string + suffix, path.string) == 0 else {
      throw DeploymentError(
        code: .cannotWrite,
        message: "\(path) cannot be written: \(Errno(rawValue: errno))"
      )
    }
  }

  /// All files are whole: the folder takes its place.
  func becomes(_ target: FilePath) throws {
    guard rename(folder.string, target.string) == 0 else {
      throw DeploymentError(
        code: .cannotWrite,
        message: "\(folder) cannot become \(target): \(Errno(rawValue: errno))"
      )
    }
  }
}

/// A file that arrives, and its digest as far as it is there.
private final class ResultFile: Sendable {
  private struct State: Sendable {
    var hash = SHA256()
    var count = 0
  }
  private let path: FilePath
  private let file: FileDescriptor
  private let state = Mutex(State())

  /// - Parameters:
  ///   - path: Where it lies.
  ///   - limit: How large it will be: if more is there, it is another one, and begun anew.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotWrite``.
  init(_ path: FilePath, atMost limit: Int) throws {
    self.path = path
    do {
      file = try FileDescriptor.open(
        path,
        .readWrite,
        options: [.create, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead]
      )
      if Int(try file.seek(offset: 0, from: .end)) > limit { try file.resize(to: 0) }
      var state = State()
      try FileDigest.read(file) { bytes in
        state.hash.update(data: bytes)
        state.count += bytes.count
      }
      let known = state
      self.state.withLock { $0 = known }
    } catch let error as Errno {
      throw DeploymentError(code: .cannotWrite, message: "\(path) cannot be written: \(error)")
    }
  }

  /// How many bytes are there.
  var count: Int { state.withLock(\.count) }

  func append(_ bytes: Data) throws {
    try state.withLock { state in
      do {
        _ = try file.writeAll(toAbsoluteOffset: Int64(state.count), bytes)
      } catch {
        throw DeploymentError(code: .cannotWrite, message: "\(path) cannot be written: \(error)")
      }
      state.hash.update(data: bytes)
      state.count += bytes.count
    }
  }

  /// Closes it, with all of it on the disk.
  ///
  /// - Returns: Its digest.
  func close() throws -> String {
    defer { try? file.close() }
    guard fsync(file.rawValue) == 0 else {
      throw DeploymentError(
        code: .cannotWrite,
        message: "\(path) cannot be written: \(Errno(rawValue: errno))"
      )
    }
    return state.withLock { $0.hash.finalize().map { String(format: "%02x", $0) }.joined() }
  }
}

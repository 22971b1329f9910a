internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraRun

struct Download: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fetches what a job has made: the model, the report, the record of its rounds.",
    discussion: "Run again after an interruption, it goes on where it was broken off."
  )

  @Argument(help: "The job's id.")
  var job: String

  @Option(
    help: ArgumentHelp(
      "Where it goes; a new folder of the job's name if not given.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var into: String?

  @Option(help: ArgumentHelp("One file alone.", valueName: "path"))
  var file: String?

  @OptionGroup var console: ConsoleOptions

  private struct Fetched: Encodable {
    var job: String
    var folder: String
    var files: [JobFileEntry]
  }

  func run() async throws {
    try await reportingErrors {
      let (id, only, answer) = (job, file, console.answer)
      let folder = FilePath(into ?? job)
      let output = ProgressOutput()
      try await console.connected { console in
        let files = try await console.files(of: id).filter { only == nil || $0.path == only }
        guard !files.isEmpty else {
          throw DeploymentError(
            code: .notFound,
            message: only.map { "job \(id) has made no file \($0)" }
              ?? "job \(id) has made nothing yet"
          )
        }
        let total = files.reduce(0) { $0 + $1.bytes }
        var done = 0
        for entry in files {
          let target = try ResultFile(entry, in: folder)
          let before = done
          if !answer.json {
            output.status("\(entry.path)  \(JobText.bytes(before)) of \(JobText.bytes(total))")
          }
          try await console.download(entry.path, of: id, from: target.start) {
            try target.write($0)
          }
          try target.finish()
          done += entry.bytes
        }
        output.clear()
        try answer.say(
          Fetched(job: id, folder: folder.string, files: files),
          files.map { "\(folder.pushing(FilePath($0.path)))  \(JobText.bytes($0.bytes))" }
        )
      }
    }
  }
}

/// A file that is being fetched: beside its place until it is whole.
private final class ResultFile: Sendable {
  /// Where to go on.
  let start: Int
  private let path: FilePath
  private let partial: FilePath
  private let file: FileDescriptor

  init(_ entry: JobFileEntry, in folder: FilePath) throws {
    let relative = FilePath(entry.path).lexicallyNormalized()
    guard relative.isRelative, relative.components.first?.kind == .regular else {
      throw DeploymentError(code: .altered, message: "the server names a file outside of the job")
    }
    path = folder.pushing(relative)
    partial = FilePath(path.string + ".part")
    try FileManager.default.createDirectory(
      atPath: path.removingLastComponent().string,
      withIntermediateDirectories: true
    )
    do {
      file = try FileDescriptor.open(
        partial,
        .writeOnly,
        options: [.create, .append],
        permissions: [.ownerReadWrite, .groupRead, .otherRead]
      )
      start = Int(try file.seek(offset: 0, from: .end))
    } catch let error as Errno {
      throw DeploymentError(code: .cannotWrite, message: "\(partial) cannot be written: \(error)")
    }
  }

  func write(_ bytes: Data) throws {
    do { _ = try file.writeAll(bytes) } catch {
      throw DeploymentError(code: .cannotWrite, message: "\(partial) cannot be written: \(error)")
    }
  }

  func finish() throws {
    do {
      try file.close()
      guard rename(partial.string, path.string) == 0 else { throw Errno(rawValue: errno) }
    } catch {
      throw DeploymentError(code: .cannotWrite, message: "\(path) cannot be written: \(error)")
    }
  }
}

internal import CProcess
internal import Foundation
internal import Glibc
public import SystemPackage
internal import TesseraConfiguration

/// The program that trains at a site.
///
///     TrainerProgram(["python3", "train.py"], folder: "jobs/digits")
public struct TrainerProgram: Sendable, Hashable {
  /// The program and its arguments.
  ///
  /// A program without a slash is looked for along `PATH`; one with a slash is relative to ``folder``.
  public var command: [String]
  /// What its environment has beside the site's own, or in place of it.
  public var environment: [String: String]
  /// Where it runs: the job's folder.
  public var folder: FilePath

  /// A program.
  public init(_ command: [String], environment: [String: String] = [:], folder: FilePath) {
    self.command = command
    self.environment = environment
    self.folder = folder
  }

  /// The file of the program.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if there is none, or it cannot be run.
  func executable() throws -> FilePath {
    guard let name = command.first, !name.isEmpty else {
      throw FederationError(code: .invalidConfiguration, message: "there is no program to start")
    }
    guard !name.contains("/") else {
      let file = folder.absolute.pushing(FilePath(name))
      guard Self.canRun(file) else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "\(shown(name)) in the job's folder is no file that can be run"
        )
      }
      return file
    }
    let places = (variables()["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
    guard
      let file = places.lazy.map({ FilePath(String($0)).appending(name) }).first(where: Self.canRun)
    else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "there is no program \(shown(name)) in the folders of PATH"
      )
    }
    return file
  }

  private static func canRun(_ file: FilePath) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: file.string, isDirectory: &isFolder)
      && !isFolder.boolValue && FileManager.default.isExecutableFile(atPath: file.string)
  }

  /// The environment: the site's, the job's, and last what the protocol says.
  func variables(_ own: [String: String] = [:]) -> [String: String] {
    ProcessInfo.processInfo.environment.merging(environment) { $1 }.merging(own) { $1 }
  }
}

/// A program that runs.
///
/// By system calls: Foundation's `Process` has neither process groups nor a way to leave other files closed, swift-subprocess ends
/// a program with the function that started it, while a trainer outlives many, and neither ends it with the site. Whatever it has
/// started ends with it, and it ends with this process, in whatever way: a guard between the two sees to that.
struct TrainerProcess {
  /// The number of its guard, which ends when the program and all that it has started have.
  let id: pid_t
  private let control: Int32

  /// Starts a program with a process group of its own, nothing on its standard input, and what it says at `log`.
  ///
  /// - Parameters:
  ///   - program: The program.
  ///   - variables: What its environment has of the protocol's.
  ///   - log: Where standard output and standard error go: a pipe's end to write to.
  /// - Throws: ``FederationError``, or `Errno` if the system refuses.
  init(_ program: TrainerProgram, variables: [String: String], log: Int32) throws {
    let file = try program.executable()
    let environment = program.variables(variables).map { "\($0)=\($1)" }.sorted()
    var id: pid_t = 0
    var control: Int32 = -1
    let code = Self.withCStrings(program.command) { arguments in
      Self.withCStrings(environment) { variables in
        tessera_start_process(
          &id,
          &control,
          file.string,
          arguments,
          variables,
          program.folder.absolute.string,
          log
        )
      }
    }
    guard code == 0 else { throw Errno(rawValue: code) }
    self.id = id
    self.control = control
  }

  /// Sends a signal to the program and all of its group.
  ///
  /// Only until ``reap()``.
  func signal(_ signal: Int32) { tessera_signal_process(control, signal) }

  /// Waits until the program has ended with all that it has started, and leaves the rest to ``reap()``.
  static func waitForEnd(of id: pid_t) { tessera_wait_for_process(id) }

  /// How a program that has ended has ended.
  ///
  /// Once only: its number is free then.
  func reap() -> ProcessExit { ProcessExit(waitStatus: tessera_reap_process(id, control)) }

  private static func withCStrings<Result>(
    _ strings: [String],
    _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
  ) -> Result {
    let pointers = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
  }
}

public import ArgumentParser
internal import Foundation

/// A program whose errors are single lines.
public protocol CommandLineProgram: AsyncParsableCommand {}

extension CommandLineProgram {
  /// Like ArgumentParser's own, but a bad value gives one line: the option, the value and what is allowed.
  ///
  /// With `--json` among the arguments, the line is an object: `{"error":{"field":…,"kind":"usage","message":…}}`.
  ///
  /// - Parameter arguments: What follows the program's name; those of the process if `nil`.
  public static func runProgram(_ arguments: [String]? = nil) async {
    // A reader that goes away (`tessera runs | head`) is no reason to stop.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot(arguments)
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
      let message = String(message(for: error).split(separator: "\n").first ?? "")
      let isJSON = CommandLine.arguments.dropFirst().prefix { $0 != "--" }.contains("--json")
      let line = isJSON ? CommandFailure(usage: message).line : "tessera: \(message)"
      FileHandle.standardError.write(Data("\(line)\n".utf8))
      Foundation.exit(ExitCode.validationFailure.rawValue)
    }
  }
}

/// Runs `body`; an error becomes one line on standard error and exit code 1.
///
/// - Parameters:
///   - isJSON: Whether the line is an object for programs, `{"error":{"field":…,"kind":…,"message":…}}`.
///   - body: What the command does.
/// - Throws: `ExitCode`, and `ValidationError` if the command line is wrong.
public func reportingErrors(
  asJSON isJSON: Bool = false,
  _ body: () async throws -> Void
) async throws {
  do {
    try await body()
  } catch let error as ExitCode {
    throw error
  } catch let error as ValidationError {
    throw error
  } catch is CancellationError {
    // Somebody has stopped it, and knows.
    throw ExitCode(130)
  } catch {
    let line = isJSON ? CommandFailure(error).line : "tessera: \(error)"
    FileHandle.standardError.write(Data("\(line)\n".utf8))
    throw ExitCode(1)
  }
}

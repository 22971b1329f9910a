public import ArgumentParser
internal import Foundation

/// A program whose errors are single lines.
public protocol CommandLineProgram: AsyncParsableCommand {}

extension CommandLineProgram {
  /// Like ArgumentParser's own, but a bad value gives one line: the option, the value and what is allowed.
  public static func runProgram() async {
    // A reader that goes away (`tessera runs | head`) is no reason to stop.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
      let message = message(for: error).split(separator: "\n").first ?? ""
      FileHandle.standardError.write(Data("tessera: \(message)\n".utf8))
      Foundation.exit(ExitCode.validationFailure.rawValue)
    }
  }
}

/// Runs `body`; an error becomes one line on standard error and exit code 1.
public func reportingErrors(_ body: () async throws -> Void) async throws {
  do {
    try await body()
  } catch let error as ExitCode {
    throw error
  } catch let error as ValidationError {
    throw error
  } catch {
    FileHandle.standardError.write(Data("tessera: \(error)\n".utf8))
    throw ExitCode(1)
  }
}

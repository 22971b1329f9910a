internal import Foundation
internal import TesseraCommandLine
public import TesseraFederation

/// The program of a federation: its server, its sites, and the commands of people.
///
/// Jobs can name the components that the program has. A program with components of one's own is this:
///
///     @main
///     enum Mine {
///       static func main() async {
///         var components = JobComponents.standard
///         components.algorithms.register("own") { _ in OwnAlgorithm() }
///         await FederationProgram.main(components: components)
///       }
///     }
///
/// It takes the same commands as `tessera federation`, with or without the word `federation` before them: kits start it where
/// `TESSERA` names it. Server, sites and whoever submits a job must have the components that the
/// job names: a server or a site without one refuses the job, and says which.
public enum FederationProgram {
  /// What jobs can name.
  @TaskLocal static var components = JobComponents.standard
  /// What people write to run the program, before a command.
  @TaskLocal static var name = "tessera federation"

  /// Runs the command that the program's arguments say, and ends the process with an error if it fails.
  ///
  /// - Parameters:
  ///   - components: What jobs can name: as a rule ``JobComponents/standard``, and one's own.
  ///   - name: What help and hints call the program; the name of its file if `nil`.
  public static func main(
    components: JobComponents = .standard,
    named name: String? = nil
  ) async {
    let file = CommandLine.arguments.first.map { ($0 as NSString).lastPathComponent }
    let arguments = CommandLine.arguments.dropFirst()
    await $components.withValue(components) {
      await $name.withValue(name ?? file ?? Self.name) {
        await FederationCommands.runProgram(
          Array(arguments.first == "federation" ? arguments.dropFirst() : arguments)
        )
      }
    }
  }
}

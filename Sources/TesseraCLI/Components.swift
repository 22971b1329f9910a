internal import ArgumentParser
internal import Foundation
internal import TesseraCommandLine
internal import TesseraConfiguration
internal import TesseraFederation
internal import TesseraRun

struct Components: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the components that a job can name.",
    discussion: "'tessera federation explain NAME' shows the arguments of one."
  )

  @Flag(help: "Print all components with their arguments, and all keys, as JSON.")
  var json = false

  @Flag(help: "Print the same as a page of Markdown.")
  var markdown = false

  func validate() throws {
    if json, markdown { throw ValidationError("'--json' and '--markdown' exclude each other") }
  }

  func run() async throws {
    let reference = JobReference()
    if json { return try print(PrintedJSON.of(reference)) }
    print(markdown ? reference.markdown : reference.list)
  }
}

struct Explain: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what a component of jobs does, and its arguments.",
    discussion: "Of the names 'job.yml' and 'data.yml', the keys of these files."
  )

  @Argument(help: "The component's name, as 'fedavg'; or 'job.yml' or 'data.yml'.")
  var name: String

  @Flag(help: "Print it as JSON.")
  var json = false

  func run() async throws {
    let reference = JobReference()
    if let file = reference.files.first(where: { $0.file == name }) {
      return print(json ? try PrintedJSON.of(file) : reference.text(of: file))
    }
    let found = reference.components(named: name)
    guard !found.isEmpty else {
      let known = reference.components.map(\.name) + reference.files.map(\.file)
      throw ValidationError("there is no component \(shown(name))\(hint(for: name, among: known))")
    }
    print(json ? try PrintedJSON.of(found) : found.map(reference.text).joined(separator: "\n\n"))
  }
}

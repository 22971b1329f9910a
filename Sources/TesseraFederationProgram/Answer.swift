internal import ArgumentParser
internal import TesseraDeployment

/// How a command says what it did: in words, or as one JSON object.
struct AnswerOptions: ParsableArguments {
  @Flag(help: "Answer with one JSON object.")
  var json = false

  /// Says it: `object` to programs, or `words` to people, line by line.
  func say(_ object: some Encodable, _ words: [String]) throws {
    guard json else {
      for line in words { print(TerminalText.paragraph(line)) }
      return
    }
    print(try JSONText.of(object))
  }
}

/// The folder of a federation's authority.
struct AuthorityOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The folder that 'provision' made.", valueName: "folder"),
    completion: .directory
  )
  var authority: String
}

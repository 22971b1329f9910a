public import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraCore
public import TesseraRetrieval
internal import TesseraRun

struct Mine: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Finds translations among two files of texts, one a line.",
    discussion: """
      Prints the score and both texts of each pair, separated by tabs, the best first. A pair scores by how much more similar its texts \
      are than either is to its neighbours (Artetxe and Schwenk, 2019). The files, which may be compressed by gzip, have two million lines \
      at most; of a long line the beginning is read.
      """
  )

  @Argument(help: "Texts, one a line.", completion: .file())
  var first: String

  @Argument(help: "Texts in another language, one a line.", completion: .file())
  var second: String

  @Option(help: "The model's folder.", completion: .directory)
  var model: String

  @Option(help: "How a pair is scored.")
  var scoring: BitextMining.Scoring = .ratio

  @Option(help: "Which pairs are looked at.")
  var retrieval: BitextMining.Retrieval = .best

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How many neighbours a text has.", valueName: "1...1000")
  )
  var neighbours = 4

  @Option(parsing: .unconditional, help: "The least score of a pair.")
  var threshold: Double?

  @OptionGroup var computer: DeviceOptions

  @Flag(
    help:
      "Print the pairs as JSON, with the numbers of their lines; progress goes to standard error."
  )
  var json = false

  func validate() throws {
    guard (1...1000).contains(neighbours) else {
      throw ValidationError("The value '\(neighbours)' is invalid for '--neighbours <1...1000>'")
    }
  }

  func run() async throws {
    try await reportingErrors(asJSON: json) {
      // Standard output has the pairs alone.
      let session = RetrievalSession(json: true)
      let device = try computer.device()
      let lefts = try Self.lines(of: first)
      let rights = try Self.lines(of: second)
      let mining = BitextMining(scoring: scoring, retrieval: retrieval, neighbours: neighbours)
      let (folder, least) = (FilePath(model), threshold ?? -.infinity)
      let pairs = try await session.computing {
        let model = try RetrievalModel(contentsOf: folder, on: device)
        session.output.line("\(grouped(lefts.count)) and \(grouped(rights.count)) texts …")
        return try mining.pairs(
          model.vectors(ofTexts: lefts, for: .texts),
          model.vectors(ofTexts: rights, for: .texts),
          threshold: least
        ) { done, of in
          try Task.checkCancellation()
          session.output.status("  \(grouped(done))/\(grouped(of)) texts compared")
        }
      }
      session.output.clear()
      if json {
        return print(
          try PrintedJSON.of(
            pairs.map {
              Found(
                score: $0.score,
                first: lefts[$0.left],
                second: rights[$0.right],
                firstLine: $0.left + 1,
                secondLine: $0.right + 1
              )
            }
          )
        )
      }
      for pair in pairs {
        print(String(format: "%.4f", pair.score) + "\t\(lefts[pair.left])\t\(rights[pair.right])")
      }
    }
  }

  private struct Found: Encodable {
    var score: Double
    var first: String
    var second: String
    var firstLine: Int
    var secondLine: Int
  }

  private static func lines(of file: String) throws -> [String] {
    try TextLines.all(of: FilePath(file), atMost: BitextMining.mostTexts)
  }
}

extension BitextMining.Scoring: ExpressibleByArgument {}
extension BitextMining.Retrieval: ExpressibleByArgument {}

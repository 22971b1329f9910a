import Foundation
import SystemPackage
import TesseraRun
import TesseraTesting
import Testing

/// A run that is carried out while its disk does not do what it should.
@Suite struct OpenRunTests {
  private struct Line: Codable { var round: Int }

  /// A round that is in the journal is done, whatever becomes of what is made from it.
  @Test func aRoundIsDoneThoughItsMetricsAndCurvesCannotBeWritten() throws {
    let folder = try TemporaryFolder()
    let record = try RunRecord.create(at: folder.path.appending("run"), RecordTests.manifest())
    let rounds = try RecordTests.finishedManifest().trainings[0].rounds
    let run = try OpenRun(record)
    let files = FileManager.default
    // Folders, where files are to be.
    try? files.removeItem(atPath: record.metricsFile.string)
    try files.createDirectory(atPath: record.metricsFile.string, withIntermediateDirectories: true)
    let curves = record.folder.appending("tensorboard")
    #expect(files.createFile(atPath: curves.string, contents: nil))
    for round in rounds.prefix(2) {
      try run.append(.roundFinished(training: "fedavg", result: round))
    }
    #expect(run.manifest.trainings[0].rounds.count == 2)
    #expect(try record.manifest().trainings[0].rounds == Array(rounds.prefix(2)))
    #expect(throws: (any Error).self) { try run.save { $0.status = .finished } }
    try files.removeItem(atPath: record.metricsFile.string)
    try files.removeItem(atPath: curves.string)
    try run.append(.roundFinished(training: "fedavg", result: rounds[2]))
    #expect(Set(record.metrics(of: Line.self).map(\.round)) == [1, 2, 3])
    #expect(files.fileExists(atPath: curves.string))
    try run.save { $0.status = .finished }
  }

  /// A power cut can leave zeros in the place of rounds that nobody had waited for, and whole lines after them.
  @Test func aRunGoesOnBeforeAHoleInItsJournal() throws {
    let folder = try TemporaryFolder()
    let record = try RunRecord.create(at: folder.path.appending("run"), RecordTests.manifest())
    var round = try RecordTests.finishedManifest().trainings[0].rounds[0]
    do {
      let run = try OpenRun(record)
      for number in 1...20 {
        round.round = number
        try run.append(.roundFinished(training: "fedavg", result: round))
      }
    }
    let whole = try folder.bytes(of: record.journalFile)
    #expect(whole.count > 2048)
    var holed = whole
    holed.replaceSubrange(1024..<1536, with: repeatElement(0, count: 512))
    try Data(holed).write(to: URL(filePath: record.journalFile.string))
    let kept = whole[..<1024].count { $0 == UInt8(ascii: "\n") }
    // Those who only look see it before anybody mends it.
    #expect(try record.manifest().trainings[0].rounds.map(\.round) == Array(1...kept))
    do {
      let run = try OpenRun(record)
      #expect(run.manifest.trainings[0].rounds.map(\.round) == Array(1...kept))
      round.round = kept + 1
      try run.append(.roundFinished(training: "fedavg", result: round))
    }
    #expect(try record.manifest().trainings[0].rounds.map(\.round) == Array(1...kept + 1))
  }
}

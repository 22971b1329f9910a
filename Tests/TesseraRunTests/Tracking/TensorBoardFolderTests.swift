import Foundation
import SystemPackage
import TesseraRun
import TesseraTesting
import Testing

@Suite struct TensorBoardFolderTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func round(_ number: Int) -> RunManifest.Round {
    var round = RunManifest.Round(
      round: number,
      model: "m",
      tensors: [:],
      contributors: [
        .init(site: "north", weight: 3, metrics: ["loss": 0.5, "dice": 0.8, "seconds": 7]),
        .init(site: "south", weight: 4),
      ],
      rejected: [],
      trainingLoss: 0.5,
      loss: 0.6,
      accuracy: 0.7,
      seconds: 1,
      examplesPerSecond: 3
    )
    (round.bytesDown, round.bytesUp) = (200, 100)
    return round
  }

  /// The measurements in a run's file, by their names: each is a record with one number.
  private func measurements(_ run: String) throws -> [String: [Float]] {
    var found: [String: [Float]] = [:]
    let path = folder.path.appending("tensorboard").pushing(FilePath(run))
    let names = try FileManager.default.contentsOfDirectory(atPath: path.string)
      .filter { $0.hasPrefix("events.out.tfevents.") }
    for name in names.sorted() {
      let bytes = try folder.bytes(of: path.appending(name))
      var place = 0
      while place < bytes.count {
        let length = bytes[place..<place + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
        let event = Array(bytes[place + 12..<place + 12 + length])
        place += length + 16
        // A value of a summary ends with its number, and its name stands before it.
        guard event.count > 5, event[event.count - 5] == 0x15 else { continue }
        let number = event.suffix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let text = event.dropLast(5)
        let start = text.lastIndex { $0 < 0x20 || $0 > 0x7E } ?? 0
        found[String(decoding: text[(start + 1)...], as: UTF8.self), default: []]
          .append(Float(bitPattern: number))
      }
    }
    return found
  }

  @Test func aRoundHasCurvesOfItsOwnAndOfEachSite() throws {
    let curves = TensorBoardFolder(folder.path.appending("tensorboard"))
    for number in 1...2 {
      try curves.add(
        round(number),
        of: "fedavg",
        efforts: [
          "north": ["seconds": 0.25, "bytesUp": 60, "bytesDown": 100],
          "elsewhere": ["seconds": 9],
        ],
        at: Date(timeIntervalSince1970: 1_800_000_000)
      )
    }
    #expect(
      try measurements("fedavg") == [
        "accuracy": [0.7, 0.7], "loss": [0.6, 0.6], "trainingLoss": [0.5, 0.5], "seconds": [1, 1],
        "examplesPerSecond": [3, 3], "bytesDown": [200, 200], "bytesUp": [100, 100],
      ]
    )
    // What a site measures itself goes before what was measured of it.
    #expect(
      try measurements("fedavg/north") == [
        "loss": [0.5, 0.5], "dice": [0.8, 0.8], "weight": [3, 3], "seconds": [7, 7],
        "bytesUp": [60, 60], "bytesDown": [100, 100],
      ]
    )
    #expect(try measurements("fedavg/south") == ["weight": [4, 4]])
    #expect(
      !FileManager.default.fileExists(
        atPath: folder.path.appending("tensorboard/fedavg/elsewhere").string
      )
    )
  }
}

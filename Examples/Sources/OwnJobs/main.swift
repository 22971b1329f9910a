// A job whose parts are this program's own: run, stopped, gone on with from its record, and verified.
import Foundation
import SystemPackage
import Tessera
import TesseraFederation
import TesseraRun

var components = JobComponents.standard
components.rules.register("largest-updates", summary: "Of the heaviest, the mean.") {
  try LargestUpdates($0)
}
let rules = components.rules
components.workflows.register("averaging", summary: "All sites, each round.") {
  try Averaging($0, rules: rules)
}
components.executors.register("column-mean", summary: "Steps towards a column's mean.") {
  try ColumnMean.recipe($0)
}
components.filters.register("dropping-small", summary: "Leaves nothing of what is small.") {
  try DroppingSmall($0)
}

let folder = FilePath(#filePath).removingLastComponent().appending("../../OwnJobs")
let job = try Job(contentsOf: folder, components: components)
let run = try JobRun(job)
let place = FilePath(NSTemporaryDirectory()).appending("own-parts-\(UUID().uuidString)")
let record = try RunRecord.create(at: place, run.newManifest())
try job.write(to: record)

struct Stop: Error {}
do {
  _ = try await run.run(in: record, checkRound: { if $0.roundCount == 3 { throw Stop() } })
} catch is Stop {
  print("own jobs: stopped after \(try record.manifest().roundCount) rounds")
}

// Another process would begin here, with the record alone and the same components.
let recorded = try Job(recordedIn: record, record.manifest(), components: components)
let again = try JobRun(recorded)
let manifest = try await again.run(in: record)
let mean = try ModelState(contentsOf: record.modelFile)["mean"]
print("own jobs: \(manifest.roundCount) rounds,", try mean?.sum().item() ?? .nan)
print("own jobs:", try await again.verify(record).map { "\($0)" } ?? "identical")
try FileManager.default.removeItem(atPath: place.string)

// What each aggregation rule withstands: 20 sites, of which 4 attack. Writes runs/attacks.html.
import Foundation
import SystemPackage
import Tessera
import TesseraFederation
import TesseraRun

let attackers: Set<Int> = [1, 6, 11, 16]
let rounds = 20
let sites = (0..<20).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 300) }

let images = try FashionMNIST.load(.test)
func data(_ range: Range<Int>) throws -> (pixels: Tensor, labels: Tensor) {
  let part = try images.subset(Array(range))
  return (try part.images.to(.float32).flattened(from: 1) / 255, part.labels)
}
let honest = SoftmaxRegression(
  data: try sites.map { site in
    let (pixels, labels) = try data(site.index * 300..<(site.index + 1) * 300)
    return (pixels, try labels.oneHot(classes: 10).to(.float32))
  }
)
let unseen = try data(6000..<10_000)
let pool = LanePool(lanes: 2)

/// The accuracy after each round, in per cent.
func curve(by rule: any AggregationRule, _ executor: any Executor) async throws -> [Double] {
  var federation = Federation(
    workflow: try FedAvg(rounds: rounds, rule: rule),
    transport: InProcessTransport(sites: sites, executor: executor, pool: pool),
    key: RandomKey(seed: 1)
  )
  federation.evaluate = { [unseen] model in
    try SoftmaxRegression.evaluate(model.tensors, unseen.pixels, unseen.labels)
  }
  var accuracies: [Double] = []
  _ = try await federation.run(
    from: WorkflowState(model: SoftmaxRegression.initialModel()),
    finishRound: { accuracies.append(100 * ($0.evaluation?.accuracy ?? 0)) }
  )
  return accuracies
}

let rules: [(name: String, rule: any AggregationRule)] = [
  ("weighted mean", .weightedMean),
  ("norm bound 0.5", try .normBound(0.5)),
  ("Krum", try .krum(byzantine: 4)),
  ("multi-Krum", try .multiKrum(byzantine: 4, keeping: 12)),
  ("Bulyan", try .bulyan(byzantine: 4)),
  ("geometric median", try .geometricMedian()),
  ("trimmed mean", try .trimmedMean(0.2)),
  ("median", .median),
]
let attacks: [(name: String, attack: ByzantineExecutor.Attack)] = [
  ("sign-flipped updates, ten times as far", .signFlip(scale: 10)),
  ("random updates", .noise(deviation: 3)),
]

let clean = try await curve(by: .weightedMean, honest)
var rows = rules.map { [$0.name] }
var sections: [ReportPage.Section] = []
for (title, attack) in attacks {
  let executor = ByzantineExecutor(honest, attackers: attackers, attack: attack)
  var curves = [LinePlot.Curve("mean, nobody attacks", clean, color: 9)]
  for (index, (name, rule)) in rules.enumerated() {
    let values = try await curve(by: rule, executor)
    curves.append(LinePlot.Curve(name, values, color: index))
    let last = values.last ?? 0
    rows[index].append(String(format: "%.1f %%", last))
    print("\(title), \(name): \(String(format: "%.1f", last)) %")
  }
  let plot = LinePlot(curves, xLabel: "round", yLabel: "accuracy on images of no site", unit: " %")
  sections.append(ReportPage.Section("With \(title)", [.plot(plot)]))
}
sections.append(
  ReportPage.Section(
    "After \(rounds) rounds",
    [.table(header: ["rule"] + attacks.map(\.name), rows: rows)]
  )
)
let page = ReportPage(
  title: "What aggregation rules withstand",
  subtitle: "Softmax regression on Fashion-MNIST at \(sites.count) sites with 300 images each",
  figures: [
    ReportPage.Figure("nobody attacks", String(format: "%.1f %%", clean.last ?? 0)),
    ReportPage.Figure("sites that attack", "\(attackers.count) of \(sites.count)"),
  ],
  sections: sections
)
try FileManager.default.createDirectory(atPath: "runs", withIntermediateDirectories: true)
try page.write(to: "runs/attacks.html")
print("attacks: runs/attacks.html")

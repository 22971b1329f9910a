import Foundation
import FoundationXML
import Synchronization
import TesseraRun
import Testing

@Suite struct ReportTests {
  static func page(_ plot: any Plot, name: String = "site-1") -> ReportPage {
    ReportPage(
      title: "A \(name)",
      subtitle: name,
      figures: [.init(name, "1 %")],
      sections: [
        .init(
          name,
          [
            .prose(name), .table(header: ["a", name], rows: [[name, "1"]]), .plot(plot),
            .command("./tessera verify \(name)"),
          ]
        )
      ]
    )
  }

  static let plots: [any Plot] = [
    LinePlot(
      [.init("a", [1, 2, 4], color: 0), .init("b", [2, 2.5], color: 1, isFaint: true)],
      xLabel: "round",
      yLabel: "accuracy"
    ),
    LinePlot([], xLabel: "", yLabel: ""),
    LinePlot([.init("one", [5], color: 0)], xLabel: "", yLabel: ""),
    LinePlot([.init("flat", [0, 0, 0], color: 12)], xLabel: "", yLabel: ""),
    LinePlot([.init("gaps", [.nan, 1, .infinity], color: 3)], xLabel: "", yLabel: ""),
    StackedBars([.init("site-1", [3, 0, 5])], partNames: ["x", "y"], label: "parts"),
    StackedBars([], partNames: [], label: ""),
    StackedBars([.init("none", [0])], partNames: [], label: ""),
    BarPlot([1, 2, 3.5], xLabel: "round", yLabel: "seconds"), BarPlot([], xLabel: "", yLabel: ""),
    BarPlot([0], xLabel: "", yLabel: ""), BarPlot([.nan, 1], xLabel: "", yLabel: ""),
    HeatMap(
      rows: ["site-1", "mean"],
      columns: ["a name that is too long to stand beside others, so it is turned", "mean"],
      values: [[1, nil], [.nan, 3]],
      label: "x",
      summaries: ["mean"]
    ), HeatMap(rows: [], columns: [], values: [], label: ""),
    HeatMap(rows: ["a", "b"], columns: ["c"], values: [[2]], label: "", decimals: -1),
    HistogramPlot(
      [.init("all", [1, 2, .nan], color: 0, isFilled: true), .init("one", [0, 0, 0], color: 11)],
      from: -1,
      to: 2,
      xLabel: "age"
    ), HistogramPlot([], from: 0, to: 0, xLabel: ""),
    HistogramPlot([.init("none", [], color: 0)], from: .nan, to: .infinity, xLabel: ""),
  ]

  @Test(arguments: 0..<18) func everyPageIsBalancedAndFreeOfNaN(index: Int) {
    let html = Self.page(Self.plots[index]).html
    let parser = XMLParser(data: Data(html.utf8))
    #expect(parser.parse(), "\(String(describing: parser.parserError))")
    #expect(!html.contains("nan") && !html.contains("inf\""))
  }

  @Test func everyCellOfAMatrixHasItsNumber() {
    let map = HeatMap(
      rows: ["a", "b"],
      columns: ["c", "d"],
      values: [[0.25, 0.5], [nil, 1]],
      label: "x",
      unit: " %"
    )
    for title in ["a, c: 0.25 %", "a, d: 0.50 %", "b, c: –", "b, d: 1.00 %"] {
      #expect(map.svg.contains("<title>\(title)</title>"))
    }
    // The smallest is the palest, the largest the darkest.
    for share in [4, 20, 54] { #expect(map.svg.contains("var(--c0) \(share)%")) }
  }

  @Test func aHistogramShowsShares() {
    let plot = HistogramPlot(
      [.init("all", [30, 10], color: 0, isFilled: true), .init("one", [1, 3], color: 1)],
      from: 0,
      to: 2,
      xLabel: "x"
    )
    // Three quarters, at either side, are equally high.
    let heights = plot.svg.split(separator: "points=\"").dropFirst().map { part in
      part.prefix { $0 != "\"" }.split(separator: " ").map { $0.split(separator: ",")[1] }
    }
    #expect(heights.count == 2 && heights[0][1] == heights[1][3])
  }

  @Test func namesCannotBecomeMarkup() {
    let html = Self.page(Self.plots[0], name: "<script>alert(\"1\")</script> & co").html
    #expect(!html.contains("<script"))
    #expect(html.contains("&lt;script&gt;"))
    #expect(XMLParser(data: Data(html.utf8)).parse())
  }

  @Test func aPageLoadsNothing() {
    let html = Self.page(Self.plots[0]).html
    for word in ["http:", "https:", "src=", "@import", "url("] { #expect(!html.contains(word)) }
  }

  @Test func timeLeftReadsWell() {
    #expect(TimeLeft.text(45.4) == "45 s")
    #expect(TimeLeft.text(125) == "2 min 05 s")
    #expect(TimeLeft.text(3725) == "1 h 02 min")
    #expect(TimeLeft.text(.infinity) == "–")
    // Two lanes share what is even; the largest part is nobody's to share.
    #expect(TimeLeft.estimate(parts: [3, 3, 2], lanes: 2, secondsEach: 10) == 40)
    #expect(TimeLeft.estimate(parts: [9, 1], lanes: 8, secondsEach: 10) == 90)
    #expect(TimeLeft.estimate(parts: [], lanes: 2, secondsEach: 10) == 0)
  }

  @Test func aPipeGetsWholeLinesAndATerminalOneThatIsRedrawn() {
    func written(to destination: ProgressOutput.Destination) -> String {
      let text = Shared()
      let output = ProgressOutput(destination) { text.add($0) }
      output.status("round 1 is under way")
      output.line("round 1")
      output.status("round 2")
      output.clear()
      return text.value
    }
    #expect(written(to: .plain) == "round 1\n")
    #expect(
      written(to: .terminal(columns: 13))
        == "\rround 1 is\u{1B}[K\r\u{1B}[Kround 1\n\rround 2\u{1B}[K\r\u{1B}[K"
    )
  }

  private final class Shared: Sendable {
    private let text = Mutex("")
    var value: String { text.withLock { $0 } }
    func add(_ more: String) { text.withLock { $0 += more } }
  }

  @Test func largeNumbersAreGrouped() {
    #expect(
      [0, 999, 1000, 1_234_567, -1000].map(grouped) == ["0", "999", "1,000", "1,234,567", "-1,000"]
    )
  }
}

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
  ]

  @Test(arguments: 0..<12) func everyPageIsBalancedAndFreeOfNaN(index: Int) {
    let html = Self.page(Self.plots[index]).html
    let parser = XMLParser(data: Data(html.utf8))
    #expect(parser.parse(), "\(String(describing: parser.parserError))")
    #expect(!html.contains("nan") && !html.contains("inf\""))
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

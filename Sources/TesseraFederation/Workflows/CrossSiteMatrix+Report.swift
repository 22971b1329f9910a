internal import Foundation
public import TesseraRun

extension ReportPage.Section {
  /// Every site's model on every site's data: a matrix with numbers for each metric, with means.
  ///
  /// Metrics named `accuracy` are shown in percent.
  public init(_ matrix: CrossSiteMatrix, title: String = "Every model on every site's data") {
    let mean = "mean"
    var contents: [ReportPage.Content] = []
    for metric in matrix.metrics {
      let isShare = metric == "accuracy"
      let factor = isShare ? 100.0 : 1
      let modelMeans = matrix.modelMeans(of: metric)
      var values = matrix.values(of: metric)
      for row in values.indices { values[row].append(modelMeans[row]) }
      let known = modelMeans.compactMap { $0 }
      let corner = known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
      values.append(matrix.siteMeans(of: metric) + [corner])
      contents.append(.prose(isShare ? "\(metric), in percent" : metric))
      contents.append(
        .plot(
          HeatMap(
            rows: matrix.models + [mean],
            columns: matrix.sites + [mean],
            values: values.map { $0.map { $0.map { $0 * factor } } },
            label: "\(metric) of each model, by row, on the data of each site, by column",
            decimals: isShare ? 1 : 3,
            summaries: [mean]
          )
        )
      )
    }
    contents.append(
      .prose(
        """
        A row is a model, a column the data of a site. The mean of a row counts sites by their \
        examples; that of a column counts each model once, and so does the one in the corner. A dash is a site that gave no answer.
        """
      )
    )
    if !matrix.withoutModel.isEmpty {
      contents.append(
        .table(
          header: ["site without a model", "reason"],
          rows: matrix.withoutModel.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
        )
      )
    }
    self.init(title, contents)
  }

  /// The global model on every site's data: a table.
  public init(
    _ result: GlobalModelEvaluation.Result,
    title: String = "The global model on every site's data"
  ) {
    let metrics = result.means.keys.sorted()
    func number(_ value: Double?) -> String {
      value.map { String(format: "%.4f", $0) } ?? "–"
    }
    var rows = result.sites.sorted { $0.key < $1.key }.map { name, cell in
      [name, grouped(cell.samples)] + metrics.map { number(cell.metrics[$0]) }
    }
    // What sites announce may be too much for any sum.
    let samples = Int(
      clamping: result.sites.values.reduce(Int128(0)) { $0 + Int128($1.samples) }
    )
    rows.append(["all", grouped(samples)] + metrics.map { number(result.means[$0]) })
    var contents: [ReportPage.Content] = [
      .table(header: ["site", "examples"] + metrics, rows: rows)
    ]
    if !result.missing.isEmpty {
      contents.append(
        .table(
          header: ["site without an answer", "reason"],
          rows: result.missing.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
        )
      )
    }
    self.init(title, contents)
  }
}

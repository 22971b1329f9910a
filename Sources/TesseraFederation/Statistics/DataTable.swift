internal import Foundation

/// Numbers of a site, in columns: what federated statistics are about.
public struct DataTable: Sendable, Hashable {
  /// The names of the columns, in order.
  public let features: [String]
  /// The values of each column; NaN where one is missing.
  public let columns: [[Double]]

  /// How many rows there are.
  public var rowCount: Int { columns.first?.count ?? 0 }

  /// What files write for a value that is missing, unless told otherwise.
  public static let missingMarks: Set<String> = ["", "NA", "N/A", "NaN", "nan", "null", "?"]

  /// A table.
  ///
  /// - Parameters:
  ///   - features: The names of the columns.
  ///   - columns: As many columns, of one length; NaN where a value is missing.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/malformedData``.
  public init(features: [String], columns: [[Double]]) throws {
    guard features.count == columns.count, Set(columns.map(\.count)).count <= 1,
      Set(features).count == features.count,
      !columns.contains(where: { $0.contains(where: \.isInfinite) })
    else {
      throw FederationError(
        code: .malformedData,
        message: """
          a table needs different names of its columns, columns of one length, and numbers that are \
          not infinite
          """
      )
    }
    self.features = features
    self.columns = columns
  }

  private init(checked features: [String], _ columns: [[Double]]) {
    self.features = features
    self.columns = columns
  }

  /// Reads the numbers of a file, in groups.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - features: Which columns; all but the grouping one if `nil`.
  ///   - group: The column whose text says which group a row belongs to; `nil`: all rows are one group.
  ///   - name: What the group is called if there is but one.
  ///   - missing: What stands for a value that is missing.
  /// - Returns: A table for each group.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/malformedData``, naming file, line and column.
  public static func read(
    _ file: CSVFile,
    features: [String]? = nil,
    groupedBy group: String? = nil,
    named name: String = "all",
    missing: Set<String> = missingMarks
  ) throws -> [String: DataTable] {
    func place(_ name: String) throws -> Int {
      guard let place = file.header.firstIndex(of: name) else {
        throw FederationError(
          code: .malformedData,
          message: "\(file.path), line 1: there is no column '\(name)'"
        )
      }
      return place
    }
    let groupPlace = try group.map(place)
    let names = features ?? file.header.filter { $0 != group }
    let places = try names.map(place)
    var groups: [String: [[Double]]] = [:]
    try file.forEachRow { line, fields in
      let group = groupPlace.map { fields[$0] } ?? name
      var columns = groups.removeValue(forKey: group) ?? names.map { _ in [] }
      for (column, place) in places.enumerated() {
        guard let value = number(fields[place], missing: missing) else {
          throw FederationError(
            code: .malformedData,
            message: "\(file.path), line \(line): '\(names[column])' is not a finite number"
          )
        }
        columns[column].append(value)
      }
      groups[group] = columns
    }
    return groups.mapValues { DataTable(checked: names, $0) }
  }

  /// NaN for a missing value, `nil` for what is no number.
  private static func number(_ text: String, missing: Set<String>) -> Double? {
    let text = text.trimmingCharacters(in: .whitespaces)
    if missing.contains(text) { return .nan }
    // Swift's own reader also takes hexadecimal digits, infinity and payloads of NaN.
    let allowed = text.utf8.allSatisfy {
      (48...57).contains($0) || [43, 45, 46, 69, 101].contains($0)
    }
    guard allowed, let value = Double(text), value.isFinite else { return nil }
    return value
  }
}

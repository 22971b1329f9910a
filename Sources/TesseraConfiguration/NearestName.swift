/// A text of a file as a message shows it: in quotes, short, and without what would move a terminal's cursor.
public func shown(_ text: String) -> String { text.shown }

/// What a message about an unknown name ends with: the nearest known one, and all that are known.
///
///     "there is no site 'nroth'\(hint(for: "nroth", among: ["north", "south"]))"
public func hint(for name: String, among known: [String]) -> String {
  let all = Set(known).sorted()
  guard all.count > 12 else { return suggestion(for: name, among: known) }
  // Of hundreds of sites nobody reads the names.
  return nearestName(to: name, among: all).map { "; did you mean '\($0)'?" } ?? ""
}

/// The one of `known` that a person may have meant by `name`, or `nil` if none is near.
func nearestName(to name: String, among known: [String]) -> String? {
  let limit = max(1, min(name.count, 30) / 3)
  return known.filter { abs($0.count - name.count) <= limit }
    .map { (name: $0, distance: editDistance(name.lowercased(), $0.lowercased())) }
    .filter { $0.distance <= limit }
    .min { $0.distance < $1.distance }?.name
}

/// How many insertions, deletions, changes and swaps of neighbours turn one text into the other.
///
/// The distance of Damerau and Levenshtein, restricted: what has been swapped is not edited again. Beyond 64 characters, texts
/// are not compared.
private func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a), Array(b))
  guard a.count <= 64, b.count <= 64 else { return .max }
  var rows = [Array(0...b.count)]
  for (i, x) in a.enumerated() {
    var row = [i + 1]
    for (j, y) in b.enumerated() {
      var best = min(rows[i][j] + (x == y ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
      if i > 0, j > 0, x == b[j - 1], y == a[i - 1] { best = min(best, rows[i - 1][j - 1] + 1) }
      row.append(best)
    }
    rows.append(row)
  }
  return rows[a.count][b.count]
}

extension String {
  /// The text as a message shows it: in quotes, short, and without what would move a terminal's cursor.
  var shown: String {
    let start = unicodeScalars.prefix(64).map { scalar in
      scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
    return "'\(start.joined())\(unicodeScalars.count > 64 ? "…" : "")'"
  }
}

/// `; did you mean 'rounds'? Known are model, rounds`.
func suggestion(for name: String, among known: [String]) -> String {
  let known = Set(known).sorted()
  let nearest = nearestName(to: name, among: known).map { "; did you mean '\($0)'?" } ?? "."
  return known.isEmpty ? "" : "\(nearest) Known are \(known.joined(separator: ", "))"
}

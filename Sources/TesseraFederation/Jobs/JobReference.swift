internal import Foundation
public import TesseraConfiguration

/// All that a job's files can say, for people and for programs: made of the code that reads them, so never other than it.
public struct JobReference: Sendable, Codable {
  /// The keys of a file.
  public struct File: Sendable, Codable {
    /// The file's name.
    public var file: String
    /// Its keys, in the order in which they are read.
    public var keys: [ArgumentDescription]
  }

  /// `job.yml` and `data.yml`.
  public var files: [File]
  /// The components, kind by kind.
  public var components: [ComponentDescription]

  /// The reference of jobs that can name some components.
  public init(_ components: JobComponents = .standard) {
    files = Job.keys(components: components).map { File(file: $0.file, keys: $0.keys) }
    self.components = components.descriptions
  }

  /// The components of a name; several if several kinds have one, as `scaffold` is a workflow and an algorithm.
  public func components(named name: String) -> [ComponentDescription] {
    components.filter { $0.name == name }
  }

  /// The reference as a page of Markdown, without its title.
  public var markdown: String {
    var lines: [String] = []
    for file in files {
      lines += ["", "## `\(file.file)`", ""] + Self.table(file.keys)
    }
    for (title, kind) in Self.kinds(of: components) {
      lines += ["", "## \(title)"]
      for component in components where component.kind == kind {
        lines += ["", "### `\(component.name)`", "", component.summary]
        if !component.arguments.isEmpty { lines += [""] + Self.table(component.arguments) }
      }
    }
    return lines.dropFirst().joined(separator: "\n") + "\n"
  }

  /// All components by name, as a terminal shows them.
  public var list: String {
    var lines: [String] = []
    let width = components.map(\.name.count).max() ?? 0
    for (title, kind) in Self.kinds(of: components) {
      lines += ["", "\(title):"]
      lines += components.filter { $0.kind == kind }.map { component in
        let name = component.name.padding(toLength: width, withPad: " ", startingAt: 0)
        return "  \(name)  \(component.summary)"
      }
    }
    return lines.dropFirst().joined(separator: "\n")
  }

  /// A component with its arguments, as a terminal shows it.
  public func text(of component: ComponentDescription) -> String {
    let head = "\(component.name) (\(component.kind)): \(component.summary)"
    return ([head] + Self.lines(component.arguments)).joined(separator: "\n")
  }

  /// The keys of a file, as a terminal shows them.
  public func text(of file: File) -> String {
    (["\(file.file):"] + Self.lines(file.keys)).joined(separator: "\n")
  }

  private static func kinds(
    of components: [ComponentDescription]
  ) -> [(title: String, kind: String)] {
    var kinds: [String] = []
    for component in components where !kinds.contains(component.kind) {
      kinds.append(component.kind)
    }
    return kinds.map { kind in
      let title = kind.prefix(1).uppercased() + kind.dropFirst()
      return (kind == "model" ? "Models" : "\(title)s", kind)
    }
  }

  /// An argument with the keys that lead to it.
  private struct Row {
    var name: String
    var argument: ArgumentDescription

    /// What the value may be, in words.
    var type: String {
      let form = argument.form
      let choices = form.choices.isEmpty ? "" : ": \(form.choices.joined(separator: ", "))"
      return form.type + (form.allowed.map { " \($0)" } ?? "") + choices
    }

    /// What it is if it is not given.
    var standard: String {
      if argument.isRequired { return "must be given" }
      return argument.standard ?? (argument.form.arguments.isEmpty ? "none" : "")
    }
  }

  private static func rows(_ arguments: [ArgumentDescription], in path: String = "") -> [Row] {
    arguments.flatMap { argument in
      let name = path + argument.name
      let inner = argument.form.type.hasPrefix("list") ? "[]." : "."
      let step = argument.form.type.hasSuffix("each name") ? ".NAME." : inner
      return [Row(name: name, argument: argument)]
        + rows(argument.form.arguments, in: name + step)
    }
  }

  private static func table(_ arguments: [ArgumentDescription]) -> [String] {
    ["| key | is | default | meaning |", "|---|---|---|---|"]
      + rows(arguments).map { row in
        let form = row.argument.form
        // Which components there are stands in their own sections.
        let isComponent =
          !form.choices.isEmpty && form.type != "name" && form.type != "list of name"
        let choices = form.choices.map { "`\($0)`" }.joined(separator: ", ")
        let type =
          form.choices.isEmpty || isComponent
          ? form.type + (form.allowed.map { " \($0)" } ?? "") : "\(form.type): \(choices)"
        let standard =
          row.argument.isRequired || row.argument.standard == nil
          ? row.standard : "`\(row.standard)`"
        return "| `\(row.name)` | \(type) | \(standard) | \(row.argument.meaning) |"
      }
  }

  private static func lines(_ arguments: [ArgumentDescription]) -> [String] {
    rows(arguments).flatMap { row in
      let standard = row.standard.isEmpty ? "" : " (\(row.standard))"
      return [
        "  \(row.name)\(standard)", "      \(row.argument.meaning)", "      \(row.type)",
      ].filter { !$0.allSatisfy(\.isWhitespace) }
    }
  }
}

public import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraCore
public import TesseraRetrieval
internal import TesseraRun

struct Import: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Makes a data set of pictures with texts that are laid out as a published collection is.",
    discussion: """
      What the source is depends on the layout:

        folder           a folder of pictures, with the texts of bear.jpg in bear.txt, in German in bear.de.txt
        table            a .csv, .tsv or .jsonl file with picture, text and perhaps language
        coco             a file of captions as captions_val2014.json, with --language and --pictures
        multi30k         the folder of the repository, with --pictures; --split and --task say which texts
        xtd10            the folder of the repository, with --pictures
        flores-200       the folder data/xtd200 or data/flickr30k-200, with --pictures
        crossmodal-3600  captions.jsonl
        wit              a part as wit_v1.test.all-00000-of-00005.tsv.gz, with --pictures
        dep-11           a catalogue as Components-amd64.yml.gz, with the icons in --pictures
        stamps, art4apps no source: Tux Paint's stamps and Art4Apps' drawings, of ./setup --retrieval-data

      A picture that cannot be read is named and left out. `tessera retrieval evaluate MODEL DATASET` then measures by it.
      """
  )

  /// How pictures and texts lie.
  enum Layout: String, CaseIterable, ExpressibleByArgument {
    case folder, table, coco, multi30k, xtd10
    case flores200 = "flores-200"
    case crossmodal3600 = "crossmodal-3600"
    case wit
    case dep11 = "dep-11"
    case stamps, art4apps

    /// The options that say something of it.
    var options: Set<String> {
      switch self {
      case .folder, .stamps, .art4apps: []
      case .table, .crossmodal3600, .xtd10, .flores200, .dep11: ["pictures"]
      case .coco: ["pictures", "language"]
      case .multi30k: ["pictures", "split", "task"]
      case .wit: ["pictures", "caption"]
      }
    }

    /// Those of them that it cannot do without.
    var required: Set<String> {
      switch self {
      case .table, .crossmodal3600: []
      case .coco: ["pictures", "language"]
      default: options.intersection(["pictures"])
      }
    }

    var hasSource: Bool { self != .stamps && self != .art4apps }
  }

  /// Which of WIT's texts.
  enum WITCaption: String, CaseIterable, ExpressibleByArgument {
    case reference, attribution, alternative

    var text: CaptionedPictures.WITText {
      switch self {
      case .reference: .reference
      case .attribution: .attribution
      case .alternative: .alternative
      }
    }
  }

  @Argument(help: "How pictures and texts lie.")
  var layout: Layout

  @Argument(help: "The file or folder.", completion: .file())
  var source: String?

  @Option(help: "The data set's folder.", completion: .directory)
  var into: String

  @Option(
    help: "The folder of the pictures, where they do not lie beside the texts.",
    completion: .directory
  )
  var pictures: String?

  @Option(help: "The language of coco's captions.")
  var language: String?

  @Option(help: "The part of multi30k: 'train', 'val', 'test_2016_flickr' (if not given), …")
  var split: String?

  @Option(help: "The texts of multi30k: 'translation' (if not given) or 'description'.")
  var task: Texts?

  @Option(
    help: "The text of wit: 'reference' (if not given), 'attribution' or 'alternative'."
  )
  var caption: WITCaption?

  @Option(
    help: ArgumentHelp(
      "Only texts in these languages, by commas; all if not given.",
      valueName: "de,fr"
    )
  )
  var languages: String?

  @Option(
    help: ArgumentHelp(
      "The languages that count as well-resourced, by commas; those of the emoji benchmark if not given.",
      valueName: "en,de"
    )
  )
  var wellResourced: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The height and width of the pictures.", valueName: "1...4096")
  )
  var size = 64

  @Option(help: "What becomes of a picture that is no square: 'whole' on white, or its 'center'.")
  var fit: PictureLoader.Fit = .whole

  @Option(help: "What it is for: 'test' to measure models by, 'train' to train them on.")
  var part: Part = .test

  @Flag(help: "Print what became of the pictures as JSON; progress goes to standard error.")
  var json = false

  /// Multi30K's kinds of texts.
  enum Texts: String, CaseIterable, ExpressibleByArgument {
    case translation, description
  }

  /// What a data set is for.
  enum Part: String, CaseIterable, ExpressibleByArgument {
    case test, train
  }

  func validate() throws {
    guard (1...4096).contains(size) else {
      throw ValidationError("The value '\(size)' is invalid for '--size <1...4096>'")
    }
    if layout.hasSource, source == nil {
      throw ValidationError("Name the file or folder of \(layout.rawValue)")
    }
    if !layout.hasSource, source != nil {
      throw ValidationError("\(layout.rawValue) has no source: it is where setup puts it")
    }
    let given = [
      "pictures": pictures != nil, "language": language != nil, "split": split != nil,
      "task": task != nil, "caption": caption != nil,
    ].filter(\.value)
    for option in given.keys.sorted() where !layout.options.contains(option) {
      throw ValidationError("'--\(option)' says nothing to \(layout.rawValue)")
    }
    for option in layout.required.sorted() where given[option] == nil {
      throw ValidationError("\(layout.rawValue) needs '--\(option)'")
    }
  }

  func run() async throws {
    try await reportingErrors(asJSON: json) {
      let session = RetrievalSession(json: json)
      let command = self
      let target = FilePath(into)
      let (dataset, skipped) = try await session.computing {
        session.output.line("Reading \(command.source ?? command.layout.rawValue) …")
        var collection = try command.collection()
        if let languages = Self.list(command.languages) {
          collection = try collection.texts(in: languages)
          guard !collection.items.isEmpty else {
            throw RetrievalError(
              code: .invalidArgument,
              message:
                "no text of \(collection.name) is in the languages \(languages.joined(separator: ", "))"
            )
          }
        }
        let (dataset, skipped) = try collection.dataset(
          PictureLoader(size: command.size, fit: command.fit),
          part: command.part == .train ? .train : .test,
          wellResourced: Self.list(command.wellResourced) ?? EmojiBenchmark().wellResourced
        ) { progress in
          try Task.checkCancellation()
          session.output.status("  \(grouped(progress.done))/\(grouped(progress.total)) pictures")
        }
        return (try dataset.write(to: target), skipped)
      }
      session.output.clear()
      for reason in skipped.prefix(20) {
        FileHandle.standardError.write(Data("tessera: left out: \(reason)\n".utf8))
      }
      if skipped.count > 20 {
        let more = "tessera: and \(grouped(skipped.count - 20)) more\n"
        FileHandle.standardError.write(Data(more.utf8))
      }
      let languages = dataset.description.languages
      let summary = Summary(
        pictures: dataset.pictures.count,
        captions: dataset.captions.count,
        languages: (languages.wellResourced + languages.underResourced).sorted(),
        skipped: skipped
      )
      if json {
        print(try PrintedJSON.of(summary))
      } else {
        session.output.line(
          """
          \(into): \(counted(summary.pictures, "picture")), \(counted(summary.captions, "text")) in \
          \(counted(summary.languages.count, "language")); \(counted(skipped.count, "picture")) left out
          """
        )
      }
      if !skipped.isEmpty { throw ExitCode(1) }
    }
  }

  private struct Summary: Encodable {
    var pictures: Int
    var captions: Int
    var languages: [String]
    var skipped: [String]
  }

  private static func list(_ text: String?) -> [String]? {
    text.map { $0.split(separator: ",").map(String.init).filter { !$0.isEmpty } }
  }

  private func collection() throws -> CaptionedPictures {
    let path = FilePath(source ?? "")
    let folder = pictures.map { FilePath($0) }
    // What a layout needs was asked for before.
    let pictures = folder ?? path.removingLastComponent()
    return switch layout {
    case .folder: try .folder(path)
    case .table: try .table(path, pictures: folder)
    case .coco:
      try .coco(
        path,
        language: language ?? CaptionedPictures.undetermined,
        pictures: pictures
      )
    case .multi30k:
      try .multi30K(
        path,
        split: split ?? (task == .description ? "test_2016" : "test_2016_flickr"),
        task: task == .description ? .description : .translation,
        pictures: pictures
      )
    case .xtd10: try .xtd10(path, pictures: pictures)
    case .flores200: try .flores200(path, pictures: pictures)
    case .crossmodal3600: try .crossmodal3600(path, pictures: folder)
    case .wit:
      try .wit(
        path,
        text: (caption ?? .reference).text,
        languages: Self.list(languages).map { Set($0) },
        pictures: pictures
      ) { _ in try Task.checkCancellation() }
    case .dep11: try .dep11(path, icons: pictures)
    case .stamps: try .tuxPaintStamps()
    case .art4apps: try .art4Apps()
    }
  }
}

extension PictureLoader.Fit: ExpressibleByArgument {}

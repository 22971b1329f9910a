import Foundation
import SystemPackage
import TesseraCore
import TesseraData
import TesseraRetrieval
import TesseraTesting
import Testing

/// A folder with files in the layouts that data sets are published in.
private struct Published {
  let folder: TemporaryFolder
  var path: FilePath { folder.path }

  init() throws { folder = try TemporaryFolder() }

  @discardableResult
  func write(_ text: String, _ name: String) throws -> FilePath {
    let file = path.appending(name)
    try makeFolder(of: file)
    try AtomicFile.write(text, to: file)
    return file
  }

  @discardableResult
  func compress(_ text: String, _ name: String) throws -> FilePath {
    let file = try write(text, name)
    let process = Process()
    process.executableURL = URL(filePath: "/bin/gzip")
    process.arguments = ["-n", file.string]
    try process.run()
    process.waitUntilExit()
    return FilePath(file.string + ".gz")
  }

  @discardableResult
  func picture(_ name: String, height: Int, width: Int, shade: UInt8 = 100) throws -> FilePath {
    let file = path.appending(name)
    try makeFolder(of: file)
    let pixels = [UInt8](repeating: shade, count: 3 * height * width)
    try ImageFile.writePNG(Tensor(pixels, shape: [3, height, width]), to: file)
    return file
  }

  private func makeFolder(of file: FilePath) throws {
    try FileManager.default.createDirectory(
      atPath: file.removingLastComponent().string,
      withIntermediateDirectories: true
    )
  }
}

private func texts(_ item: CaptionedPictures.Item) -> [String] {
  item.texts.map { "\($0.language): \($0.text)" }
}

private func message(_ body: () throws -> Void) -> String {
  do { try body() } catch { return "\(error)" }
  return ""
}

@Suite struct PublishedReaderTests {
  private let published: Published
  private var path: FilePath { published.path }

  init() throws { published = try Published() }

  @Test func multi30KIsReadWithItsLists() throws {
    try published.write("1.jpg\n2.jpg\n", "data/task1/image_splits/val.txt")
    try published.compress("A dog.\nTwo men.\n", "data/task1/raw/val.en")
    try published.write("Ein Hund.\nZwei Männer.\n", "data/task1/raw/val.de")
    try published.compress("A cat.\n", "data/task1/raw/train.en")
    try published.write("1.jpg\n", "data/task2/image_splits/val_images.txt")
    for number in 1...5 {
      try published.compress("Dog \(number)\n", "data/task2/raw/val.\(number).en")
      try published.compress("Hund \(number)\n", "data/task2/raw/val.\(number).de")
    }
    let pictures = path.appending("flickr30k")
    let val = try CaptionedPictures.multi30K(path, split: "val", pictures: pictures)
    #expect(val.items.map(\.picture) == ["1.jpg", "2.jpg"].map { pictures.appending($0) })
    #expect(texts(val.items[1]) == ["de: Zwei Männer.", "en: Two men."])
    #expect(val.languages == ["de", "en"])
    let own = try CaptionedPictures.multi30K(
      path,
      split: "val",
      task: .description,
      pictures: pictures
    )
    #expect(own.items.count == 1 && own.items[0].texts.count == 10)
    #expect(
      message { _ = try CaptionedPictures.multi30K(path, split: "train", pictures: pictures) }
        .contains("image_splits/train.txt cannot be read")
    )
    try published.write("Ein Hund.\n", "data/task1/raw/val.de")
    #expect(
      message { _ = try CaptionedPictures.multi30K(path, split: "val", pictures: pictures) }
        .contains("val.de has 1 lines, but")
    )
  }

  @Test func damagedCompressedTextsAreNamed() throws {
    try published.write("1.jpg\n", "data/task1/image_splits/val.txt")
    let file = try published.compress(
      String(repeating: "A dog and a cat.\n", count: 1000),
      "data/task1/raw/val.en"
    )
    let bytes = try published.folder.bytes(of: file)
    for damaged in [Array(bytes.dropLast(12)), bytes.prefix(20) + bytes.dropFirst(20).map { ~$0 }] {
      _ = try published.folder.file("data/task1/raw/val.en.gz", damaged)
      let said = message { _ = try CaptionedPictures.multi30K(path, split: "val", pictures: path) }
      #expect(said.contains("val.en.gz, line") && said.contains("damaged or cut off"))
    }
    _ = try published.folder.file("data/task1/raw/val.en.gz", [0x41, 0xFF, 0x0A])
    #expect(
      message { _ = try CaptionedPictures.multi30K(path, split: "val", pictures: path) }
        .hasSuffix("val.en.gz, line 1: it is not UTF-8")
    )
  }

  @Test func xtd10IsReadFromItsThreeFolders() throws {
    try published.write(
      "COCO_val2014_1.jpg\nCOCO_train2014_2.jpg\n",
      "XTD10/test_image_names.txt"
    )
    try published.write("un gato\r\nun perro", "XTD10/test_1kcaptions_es.txt")
    try published.write("eine Katze\nein Hund\n", "MIC/test_1kcaptions_de.txt")
    try published.write("猫\n犬\n", "STAIR/test_1kcaptions_jp.txt")
    let xtd = try CaptionedPictures.xtd10(path, pictures: "coco")
    #expect(xtd.items.map(\.picture) == ["coco/COCO_val2014_1.jpg", "coco/COCO_train2014_2.jpg"])
    #expect(texts(xtd.items[0]) == ["de: eine Katze", "es: un gato", "ja: 猫"])
    #expect(try xtd.texts(in: ["ja"]).items.flatMap(texts) == ["ja: 猫", "ja: 犬"])
    #expect(throws: RetrievalError.self) {
      try CaptionedPictures.xtd10("/nowhere", pictures: "coco")
    }
  }

  @Test func flores200CollectionsAreReadInParallel() throws {
    try published.write("a.jpg\nb.jpg\n", "flickr30k-200/filenames.txt")
    try published.write("mbwa\npaka\n", "flickr30k-200/swh_Latn.txt")
    try published.write("inja\nikati\n", "flickr30k-200/zul_Latn.txt")
    let folder = path.appending("flickr30k-200")
    let pictures = try CaptionedPictures.flores200(folder, pictures: "p")
    #expect(pictures.name == "flickr30k-200")
    #expect(texts(pictures.items[1]) == ["swh_Latn: paka", "zul_Latn: ikati"])
    #expect(
      message { _ = try CaptionedPictures.flores200(path, pictures: "p") }
        .contains("has neither test_image_names.txt nor filenames.txt")
    )
  }

  @Test func cocosCaptionsAreThoseOfTheirImages() throws {
    let file = try published.write(
      """
      {"info": {"year": 2014}, "licenses": [],
       "images": [{"license": 5, "file_name": "COCO_val2014_7.jpg", "id": 7, "height": 3},
                  {"file_name": "COCO_val2014_9.jpg", "id": 9}],
       "annotations": [{"image_id": 9, "id": 1, "caption": "A boat."},
                       {"image_id": 7, "id": 2, "caption": "A horse.\\n"},
                       {"image_id": 9, "id": 3, "caption": "A ship."}]}
      """,
      "captions_val2014.json"
    )
    let coco = try CaptionedPictures.coco(file, language: "en", pictures: "val2014")
    #expect(coco.name == "captions_val2014")
    #expect(
      coco.items.map(\.picture) == ["val2014/COCO_val2014_7.jpg", "val2014/COCO_val2014_9.jpg"]
    )
    #expect(coco.items.map(texts) == [["en: A horse."], ["en: A boat.", "en: A ship."]])
    func said(_ text: String) throws -> String {
      try published.write(text, "captions_val2014.json")
      return message { _ = try CaptionedPictures.coco(file, language: "en", pictures: "p") }
    }
    #expect(try said("{\"images\": []").hasSuffix("captions_val2014.json: it is not JSON"))
    #expect(try said("{\"images\": []}").hasSuffix("the field 'annotations' is missing"))
    #expect(
      try said("{\"images\": [], \"annotations\": [{\"image_id\": 1, \"caption\": \"x\"}]}")
        .hasSuffix("annotation 1 is of an image that is not listed")
    )
    #expect(
      try said(
        "{\"images\": [{\"id\":1,\"file_name\":\"a\"},{\"id\":1,\"file_name\":\"b\"}], \"annotations\": []}"
      ).hasSuffix("two images have the id 1")
    )
  }

  @Test func crossmodal3600HasLanguagesAsFields() throws {
    let file = try published.write(
      """
      {"image/key": "0004", "image/locale": "fi", "en": {"caption": ["A lake."], "caption/tokenized": ["a lake"], "caption/tokenized/lowercase": ["a lake"]}, "quz": {"caption": ["Qucha.", "Hatun qucha."]}}
      {"image/key": "0005", "image/locale": "sw", "en": {"caption": ["A tree."]}}
      """,
      "captions.jsonl"
    )
    let pictures = try CaptionedPictures.crossmodal3600(file)
    #expect(
      pictures.items.map(\.picture)
        == ["images/0004.jpg", "images/0005.jpg"].map { path.appending($0) }
    )
    #expect(texts(pictures.items[0]) == ["en: A lake.", "quz: Qucha.", "quz: Hatun qucha."])
    try published.write("{\"image/key\": \"1\"}\n{\"key\": \"2\"}\n", "captions.jsonl")
    #expect(
      message { _ = try CaptionedPictures.crossmodal3600(file) }
        .hasSuffix("captions.jsonl, line 2: the field 'image/key' is missing")
    )
  }

  @Test func witsTextsAreThoseOfAllRowsOfAPicture() throws {
    let columns = [
      "language", "page_url", "image_url", "page_title", "caption_reference_description",
      "caption_attribution_description", "caption_alt_text_description",
    ]
    let base = "https://upload.example/commons/a/a1"
    let rows = [
      ["ga", "u", "\(base)/Gealach_l%C3%A1n.jpg", "t", "An ghealach", "English: Moon", ""],
      ["tg", "u", "\(base)/Gealach_l%C3%A1n.jpg", "t", "\"Моҳ \"\"пурра\"\"\nва осмон\"", "", ""],
      ["war", "u", "\(base)/Other.png?width=3", "t", "", "", "an alt text"],
      ["ceb", "u", "\(base)/..", "t", "no picture", "", ""],
    ]
    let file = try published.compress(
      ([columns] + rows).map { $0.joined(separator: "\t") }.joined(separator: "\n") + "\n",
      "wit_v1.test.all-00000-of-00005.tsv"
    )
    let wit = try CaptionedPictures.wit(file, pictures: "wit")
    #expect(wit.items.map(\.picture) == ["wit/Gealach_lán.jpg"])
    #expect(texts(wit.items[0]) == ["ga: An ghealach", "tg: Моҳ \"пурра\"\nва осмон"])
    let tajik = try CaptionedPictures.wit(file, languages: ["tg"], pictures: "wit")
    #expect(tajik.languages == ["tg"])
    let alternative = try CaptionedPictures.wit(file, text: .alternative, pictures: "wit")
    #expect(alternative.items.map(\.picture) == ["wit/Other.png"])
    let short = try published.write("language\timage_url\nga\tx\nga\n", "short.tsv")
    #expect(
      message { _ = try CaptionedPictures.wit(short, pictures: "wit") }
        .hasSuffix("line 1: there is no column 'caption_reference_description'")
    )
    let ragged = try published.write("a\tb\n1\t2\n\n3\n", "ragged.tsv")
    #expect(
      message { _ = try CaptionedPictures.wit(ragged, pictures: "wit") }.contains("no column")
    )
  }
}

@Suite struct OwnPicturesTests {
  private let published: Published
  private var path: FilePath { published.path }

  init() throws { published = try Published() }

  @Test func aTableNamesPicturesTextsAndLanguages() throws {
    let csv = try published.write(
      "\u{FEFF}picture,language,text,note\r\nb/bear.jpg,de,\"Ein Bär, braun\",x\r\na.png,,\"He said \"\"moo\"\"\",\r\nb/bear.jpg,sw,dubu,\r\nc.png,en,,\r\n",
      "photos.csv"
    )
    let pictures = try CaptionedPictures.table(csv)
    #expect(pictures.name == "photos.csv")
    #expect(pictures.items.map(\.id) == ["b/bear.jpg", "a.png", "c.png"])
    #expect(pictures.items[0].picture == path.appending("b/bear.jpg"))
    #expect(
      pictures.items.map(texts) == [
        ["de: Ein Bär, braun", "sw: dubu"], ["und: He said \"moo\""], [],
      ]
    )
    let lines = try published.compress(
      "{\"image\":\"a.png\",\"caption\":\"a cow\",\"language\":\"en\"}\n\n{\"picture\":\"b.png\",\"text\":\"ng'ombe\"}\n",
      "photos.jsonl"
    )
    let other = try CaptionedPictures.table(lines, pictures: "elsewhere")
    #expect(other.items.map(\.picture) == ["elsewhere/a.png", "elsewhere/b.png"])
    #expect(other.items.flatMap(texts) == ["en: a cow", "und: ng'ombe"])
  }

  @Test(arguments: [
    ("a.csv", "picture,text\na.png,x,y\n", "line 2: it has 3 fields; the first line names 2"),
    ("a.csv", "picture,text\na.png,\"x\n\n", "line 2: a quotation mark is not closed"),
    ("a.csv", "picture,text\na.png,\"x\"y\n", "line 2: text follows a quoted field"),
    ("a.csv", "picture,picture\n", "line 1: two columns have one name"),
    ("a.csv", "", "line 1: the names of the columns are missing"),
    ("a.csv", "picture,text\n,x\n", "line 2: it names no 'picture'"),
    ("a.tsv", "picture\tlanguage\na.png\tde\n", "line 1: no row has a 'text'"),
    (
      "a.jsonl", "{\"picture\":\"a.png\",\"text\":\"x\"}\n{\"picture\":7}\n",
      "line 2: it names no 'picture'"
    ),
    ("a.xls", "picture,text\n", "its name ends neither with .csv, .tsv nor .jsonl"),
  ])
  func aDamagedTableIsNamedWithItsLine(_ name: String, _ text: String, _ reason: String) throws {
    let file = try published.write(text, name)
    let said = message { _ = try CaptionedPictures.table(file) }
    #expect(said.hasPrefix("\(file)") && said.hasSuffix(reason), "\(said)")
  }

  @Test func aFoldersTextsLieBesideItsPictures() throws {
    try published.picture("b/bear.png", height: 2, width: 2)
    try published.picture("b/bear.old.png", height: 2, width: 2)
    try published.picture("a.PNG", height: 2, width: 2)
    try published.picture(".hidden/x.png", height: 2, width: 2)
    try published.write("a bear\n\na brown bear\n", "b/bear.txt")
    try published.write("ein Bär\n", "b/bear.de.txt")
    let pictures = try CaptionedPictures.folder(path)
    #expect(pictures.items.map(\.id) == ["a.PNG", "b/bear.old.png", "b/bear.png"])
    #expect(texts(pictures.items[2]) == ["de: ein Bär", "und: a bear", "und: a brown bear"])
    #expect(pictures.items[0].texts.isEmpty && pictures.items[1].texts.isEmpty)
    #expect(throws: RetrievalError.self) { try CaptionedPictures.folder(path.appending("none")) }
    let empty = try TemporaryFolder()
    #expect(
      message { _ = try CaptionedPictures.folder(empty.path) }.hasSuffix(
        "holds no PNG or JPEG file"
      )
    )
  }

  @Test func picturesThatCannotBeLoadedAreNamedAndSkipped() throws {
    let wide = try published.picture("wide.png", height: 2, width: 4, shade: 10)
    let text = try published.write("no picture", "text.jpg")
    let large = try published.picture("large.png", height: 40, width: 40)
    let small = try published.picture("small.png", height: 3, width: 3, shade: 60)
    let drawing = try published.write(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 2 2'><rect width='2' height='2' fill='#0a141e'/></svg>",
      "drawing.svg"
    )
    let paths = [wide, text, large, small, path.appending("missing.png"), drawing]
    let loaded = try PictureLoader(size: 4, mostPixels: 1000).load(paths)
    #expect(loaded.positions == [0, 3, 5])
    #expect(loaded.pixels.shape == [3, 3, 4, 4])
    #expect(loaded.skipped.map(\.path) == [text, large, paths[4]])
    for (path, reason) in loaded.skipped { #expect(reason.contains(path.string)) }
    #expect(loaded.skipped[1].reason.contains("40×40"))
    let pixels = try loaded.pixels.slice(at: 0).slice(at: 0).array(of: UInt8.self)
    // In the middle of white.
    #expect(pixels == [255, 255, 255, 255, 10, 10, 10, 10, 10, 10, 10, 10, 255, 255, 255, 255])
    #expect(
      try loaded.pixels.slice(at: 2).slice(at: 2).array(of: UInt8.self)
        == [UInt8](repeating: 30, count: 16)
    )
    let cut = try PictureLoader(size: 2, fit: .center).load(wide)
    #expect(try cut.array(of: UInt8.self) == [UInt8](repeating: 10, count: 12))
    #expect(throws: RetrievalError.self) { try PictureLoader(size: 0) }
  }

  @Test func aCollectionBecomesADataSetToMeasureOn() throws {
    try published.picture("a.png", height: 3, width: 3)
    try published.write("broken", "b.png")
    try published.picture("c.png", height: 3, width: 3)
    let csv = try published.write(
      "picture,language,text\na.png,en,a cow\nb.png,en,a dog\nc.png,zu,inkomo\nc.png,en,another cow\n",
      "own.csv"
    )
    let (data, skipped) = try CaptionedPictures.table(csv).dataset(PictureLoader(size: 2))
    #expect(skipped.count == 1 && skipped[0].contains("b.png"))
    #expect(data.concepts.map(\.id) == ["a.png", "c.png"])
    #expect(data.concepts.allSatisfy { $0.split == .test })
    #expect(data.description.languages.wellResourced == ["en"])
    #expect(data.description.languages.underResourced == ["zu"])
    #expect(data.captions.map(\.concept) == [0, 1, 1])
    #expect(data.firstLeak() == nil)
    let read = try data.write(to: path.appending("set"))
    #expect(read.captions == data.captions)
    try published.write("broken", "a.png")
    try published.write("broken", "c.png")
    #expect(
      message { _ = try CaptionedPictures.table(csv).dataset(PictureLoader(size: 2)) }
        .contains("none of the pictures of own.csv can be loaded")
    )
  }
}

@Suite struct PackagedCollectionTests {
  @Test func stampsHaveSentencesAndPictures() throws {
    let small = try SmallPackages()
    try small.write(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 2 2'/>",
      "usr/share/tuxpaint/stamps/animals/bear.svg"
    )
    let stamps = try CaptionedPictures.tuxPaintStamps(small.packages(), leastTexts: 1)
    #expect(stamps.items.map(\.id) == ["animals/bear"])
    #expect(
      texts(stamps.items[0]) == ["en: A bear.", "de: Ein Bär.", "no: En bjørn.", "sw: Dubu."]
    )
    #expect(stamps.items[0].picture.string.hasSuffix("animals/bear.svg"))
    #expect(try CaptionedPictures.tuxPaintStamps(small.packages(), leastTexts: 2).items.isEmpty)
  }

  @Test func drawingsHaveAWordInEachLanguage() throws {
    let small = try SmallPackages()
    let games = "usr/share/games/pysiogame"
    for (theme, file) in [("animals", "lion_cub.jpg"), ("jobs", "ballet.jpg"), ("food", "bun.jpg")]
    {
      try small.write("a picture", "\(games)/res/images/art4apps/\(theme)/\(file)")
    }
    let catalogue = """
      # A comment.
      msgid ""
      msgstr ""
      "Language: lkt\\n"

      #: somewhere
      msgid "lion cub"
      msgstr "igmú"
      "tȟaŋka \\"cub\\""
      #, fuzzy
      msgid "bun"
      msgstr "doubtful"
      msgctxt "person"
      msgid "ballet dancer"
      msgid_plural "ballet dancers"
      msgstr[0] "wačhí"
      msgstr[1] "wačhípi"
      #~ msgid "old"
      #~ msgstr "old"
      """
    try small.write(catalogue, "\(games)/i18n/custom/a4a_po/lkt.po")
    try small.write("msgid \"bun\"\nmsgstr \"bun\"\n", "\(games)/i18n/custom/a4a_po/en_GB.po")
    let drawings = try CaptionedPictures.art4Apps(small.packages())
    #expect(drawings.items.map(\.id) == ["lion cub", "bun", "ballet dancer"])
    #expect(
      drawings.items.map(texts) == [
        ["en: lion cub", "lkt: igmútȟaŋka \"cub\""], ["en: bun"],
        ["en: ballet dancer", "lkt: wačhí"],
      ]
    )
    #expect(drawings.items[0].texts[0].kind == .name)
    try small.write("msgid \"bun\"\nmsgstr oops\n", "\(games)/i18n/custom/a4a_po/de.po")
    #expect(
      message { _ = try CaptionedPictures.art4Apps(small.packages()) }
        .hasSuffix("de.po, line 2: its text is not between quotation marks")
    )
  }

  @Test func applicationsHaveIconsAndSummaries() throws {
    let published = try Published()
    let catalogue = """
      ---
      File: DEP-11
      Version: '1.0'
      ---
      Type: desktop-application
      ID: org.gnome.Maps.desktop
      Package: gnome-maps
      Name:
        C: Maps
        de: Karten
        en_GB: Maps
        x-test: xxMapsxx
      Summary:
        C: Find places
        pt_BR: Localize lugares
      Icon:
        cached:
        - name: gnome-maps_Maps.png
          width: 48
          height: 48
        - name: gnome-maps_Maps.png
          width: 64
          height: 64
      ---
      Type: desktop-application
      ID: no.icon
      Name: {C: None}
      ---
      Type: font
      ID: a.font
      """
    let file = try published.compress(catalogue, "Components-amd64.yml")
    let applications = try CaptionedPictures.dep11(file, icons: "icons")
    #expect(applications.items.map(\.id) == ["org.gnome.Maps.desktop"])
    #expect(applications.items[0].picture == "icons/gnome-maps_Maps.png")
    #expect(
      texts(applications.items[0]) == [
        "en: Maps", "de: Karten", "en: Find places", "pt: Localize lugares",
      ]
    )
    #expect(applications.items[0].texts.map(\.kind) == [.name, .name, .sentence, .sentence])
    let broken = try published.write(
      "---\nA: 1\n---\nType: desktop-application\nName: [\n",
      "b.yml"
    )
    #expect(
      message { _ = try CaptionedPictures.dep11(broken, icons: "icons") }
        .hasSuffix("b.yml, line 4: the component that begins here cannot be read")
    )
  }
}

import SystemPackage
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct CSVFileTests {
  private static func read(_ text: String) throws -> (header: [String], rows: [[String]]) {
    try read(Array(text.utf8))
  }

  private static func read(_ bytes: [UInt8]) throws -> (header: [String], rows: [[String]]) {
    let folder = try TemporaryFolder()
    let file = try CSVFile(contentsOf: folder.file("data.csv", bytes))
    var rows: [[String]] = []
    try file.forEachRow { _, fields in rows.append(fields) }
    return (file.header, rows)
  }

  @Test func quotedFieldsMayHoldEverything() throws {
    let (header, rows) = try Self.read("a,\"b, c\"\r\n\"1\n2\",\"say \"\"no\"\"\"\r\n,\"\"\r\n")
    #expect(header == ["a", "b, c"])
    #expect(rows == [["1\n2", "say \"no\""], ["", ""]])
  }

  @Test func theLastLineNeedsNoEndAndAMarkOfByteOrderIsSkipped() throws {
    let (header, rows) = try Self.read([0xEF, 0xBB, 0xBF] + Array("ä,b\n1,2\n3,".utf8))
    #expect(header == ["ä", "b"])
    #expect(rows == [["1", "2"], ["3", ""]])
  }

  @Test func anEmptyLineOfOneColumnIsAnEmptyField() throws {
    #expect(try Self.read("a\n\n1\n").rows == [[""], ["1"]])
  }

  @Test(arguments: [
    ("", "is empty"), ("a,a\n", "line 1: column 2 is named 'a' like an earlier one"),
    ("a,\n", "line 1: column 2 has no name"),
    ("a,b\n1,2\n3\n", "line 3: 1 fields where 2 are expected"),
    ("a,b\n1,2,3\n", "line 2: 3 fields where 2 are expected"),
    ("a,b\n\n1,2\n", "line 2: 1 fields where 2 are expected"),
    ("a,b\n1,\"2\n3,4\n", "line 2: a quote is never closed"),
    ("a,b\n1,2\"3\n", "line 2: a quote inside field 2"),
    ("a,b\n\"1\"2,3\n", "line 2: a quote inside field 1"),
    ("a,b\n1,\"2\" \n", "line 2: a quote inside field 2"),
    ("a,b\r1,2\n", "line 1: a carriage return that ends no line"),
    ("a\n\"x\ny\"\n\"1\"\"\n", "line 4: a quote is never closed"),
  ])
  func malformedFilesAreNamedWithTheirLine(text: String, problem: String) {
    let error = #expect(throws: FederationError.self) { try Self.read(text) }
    #expect(error?.code == .malformedData)
    #expect(error?.message.hasSuffix(problem) == true, "\(error?.message ?? "")")
    #expect(error?.message.contains("data.csv") == true)
  }

  @Test func bytesThatAreNoTextAreRefused() {
    let error = #expect(throws: FederationError.self) {
      try Self.read(Array("a\n".utf8) + [0xFF, 0x0A])
    }
    #expect(error?.message.hasSuffix("line 2: field 1 is not UTF-8") == true)
  }

  @Test func aFieldWithoutEndIsRefused() {
    let bytes = Array("a\n\"".utf8) + [UInt8](repeating: 0x61, count: CSVFile.largestField + 2)
    let error = #expect(throws: FederationError.self) { try Self.read(bytes) }
    #expect(error?.message.contains("is longer than 1048576 bytes") == true)
  }

  @Test func aFileThatIsNotThereIsNamed() {
    let error = #expect(throws: FederationError.self) { try CSVFile(contentsOf: "/no/such.csv") }
    #expect(error?.message == "/no/such.csv cannot be read")
  }

  private static func table(
    _ text: String,
    features: [String]? = nil,
    group: String? = nil
  ) throws -> [String: DataTable] {
    let folder = try TemporaryFolder()
    let file = try CSVFile(contentsOf: folder.file("data.csv", Array(text.utf8)))
    return try DataTable.read(file, features: features, groupedBy: group)
  }

  @Test func numbersAreReadInGroupsWithGaps() throws {
    let text = "g,x,y\na,1, 2.5 \nb,NA,-3e2\na,+4,\n"
    let tables = try Self.table(text, group: "g")
    #expect(tables.keys.sorted() == ["a", "b"])
    #expect(tables["a"]?.features == ["x", "y"])
    #expect(tables["a"]?.columns[0] == [1, 4])
    #expect(tables["a"]?.columns[1][0] == 2.5 && tables["a"]?.columns[1][1].isNaN == true)
    #expect(tables["b"]?.columns[0][0].isNaN == true && tables["b"]?.columns[1] == [-300])
    #expect(try Self.table(text, features: ["y"])["all"]?.columns[0].count == 3)
  }

  @Test(arguments: ["secret", "inf", "0x1p3", "1e999", "1 2", "nan(5)", "--1", "1,5"])
  func whatIsNoNumberIsAnErrorThatDoesNotQuoteIt(text: String) {
    let error = #expect(throws: FederationError.self) { try Self.table("x\n1\n\"\(text)\"\n") }
    #expect(error?.message.hasSuffix("line 3: 'x' is not a finite number") == true)
    #expect(error?.message.contains(text) == false)
  }

  @Test func columnsThatAreNotThereAreNamed() {
    let error = #expect(throws: FederationError.self) { try Self.table("x\n1\n", features: ["z"]) }
    #expect(error?.message.hasSuffix("line 1: there is no column 'z'") == true)
  }
}

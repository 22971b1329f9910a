import Foundation
import SystemPackage
import TesseraCore
import TesseraTesting
import Testing

@Suite struct SafeTensorsTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func everyDType() throws -> [(name: String, tensor: Tensor)] {
    try DType.allCases.filter { $0 != .complex128 }.enumerated().map { index, dtype in
      let numbers = try Tensor.range(0..<6).reshaped(to: [2, 3])
      return (name: "layer.\(index).\(dtype)", tensor: try numbers.to(dtype))
    }
  }

  @Test func tensorsComeBackAsTheyWere() throws {
    let file = folder.path.appending("all.safetensors")
    let tensors =
      try everyDType() + [
        (name: "number", tensor: Tensor(3.5)), (name: "empty", tensor: Tensor.zeros([0, 4])),
        (name: "turned", tensor: Tensor([1.0, 2, 3, 4], shape: [2, 2]).transposed()),
        (name: "umlaut ü \" \\ / \n", tensor: Tensor([1])),
      ]
    try SafeTensors.write(tensors, metadata: ["note": "\"quoted\" ü"], to: file)
    let read = try SafeTensors(contentsOf: file)
    #expect(read.metadata == ["note": "\"quoted\" ü"])
    #expect(Set(read.names) == Set(tensors.map(\.name)))
    for (name, tensor) in tensors {
      #expect(read.entries[name]?.shape == tensor.shape)
      #expect(read.entries[name]?.dtype == tensor.dtype)
      #expect(try read.tensor(name).isIdentical(to: tensor), "\(name)")
    }
    #expect(throwing(.invalidArgument) { _ = try read.tensor("nothing") })
  }

  @Test func theSameTensorsGiveTheSameBytes() throws {
    let (a, b) = (folder.path.appending("a"), folder.path.appending("b"))
    let metadata = Dictionary(uniqueKeysWithValues: (0..<20).map { ("key\($0)", "value") })
    try SafeTensors.write(everyDType(), metadata: metadata, to: a)
    try SafeTensors.write(everyDType(), metadata: metadata, to: b)
    #expect(try folder.bytes(of: a) == folder.bytes(of: b))
  }

  @Test func namesKeepTheirOrderWithinASizeOfElement() throws {
    let file = folder.path.appending("order")
    let one = try Tensor([1 as Float])
    try SafeTensors.write([("z", one), ("a", one), ("m", Tensor([1]))], to: file)
    #expect(try SafeTensors(contentsOf: file).names == ["m", "z", "a"])
  }

  @Test func tensorsOutliveTheFile() throws {
    let path = folder.path.appending("short-lived")
    try SafeTensors.write([("x", Tensor([1.0, 2, 3]))], to: path)
    var tensor: Tensor?
    do { tensor = try SafeTensors(contentsOf: path).tensor("x") }
    unlink(path.string)
    expectClose(try #require(tensor), [1, 2, 3])
  }

  @Test func bytesThatAreNoTruthValuesCountAsTrue() throws {
    let path = folder.path.appending("flags")
    try SafeTensors.write([("x", Tensor([false, true, true]))], to: path)
    let whole = try folder.bytes(of: path)
    let file = try SafeTensors(contentsOf: folder.file("flags", whole.dropLast() + [2]))
    #expect(try file.tensor("x").withBytes { Array($0) } == [0, 1, 1])
  }

  @Test func pythonReadsOursAndWritesForUs() throws {
    let (ours, theirs) = (folder.path.appending("ours"), folder.path.appending("theirs"))
    try SafeTensors.write(
      everyDType() + [("empty", Tensor.zeros([0, 2]))],
      metadata: ["from": "Swift"],
      to: ours
    )
    let script = """
      import sys, numpy as np
      from safetensors import safe_open
      from safetensors.numpy import save_file
      ours, theirs = sys.argv[1:]
      with safe_open(ours, "np") as file:
          assert file.metadata() == {"from": "Swift"}, file.metadata()
          tensors = {n: file.get_tensor(n) for n in file.keys() if "bfloat16" not in n}
          assert "layer.6.bfloat16" in file.keys(), file.keys()
      assert len(tensors) == 11, sorted(tensors)
      for name, value in tensors.items():
          if name == "empty":
              assert value.shape == (0, 2)
          else:
              expected = np.arange(6).reshape(2, 3).astype(name.split(".")[2])
              assert value.dtype == expected.dtype and (value == expected).all(), name
      save_file({"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([True, False]),
                 "n": np.array(7, dtype=np.int64)}, theirs, metadata={"from": "Python"})
      """
    try python(script, [ours.string, theirs.string])
    let file = try SafeTensors(contentsOf: theirs)
    #expect(file.metadata == ["from": "Python"])
    expectClose(try file.tensor("a"), try Tensor.range(0..<6).reshaped(to: [2, 3]).to(.float32))
    #expect(try file.tensor("b").array(of: Bool.self) == [true, false])
    #expect(try file.tensor("n").itemAsInteger() == 7)
  }

  @Test func whatCannotBeWrittenIsRefusedAndLeavesTheOldFile() throws {
    let file = folder.path.appending("kept")
    try SafeTensors.write([("x", Tensor([1.0]))], to: file)
    let before = try folder.bytes(of: file)
    let twice: [(name: String, tensor: Tensor)] = try [("x", Tensor([1.0])), ("x", Tensor([2.0]))]
    #expect(throwing(.invalidArgument) { try SafeTensors.write(twice, to: file) })
    let reserved: [(name: String, tensor: Tensor)] = try [("__metadata__", Tensor([1.0]))]
    #expect(throwing(.invalidArgument) { try SafeTensors.write(reserved, to: file) })
    let wide: [(name: String, tensor: Tensor)] = try [("z", Tensor([1.0]).to(.complex128))]
    #expect(throwing(.unsupported) { try SafeTensors.write(wide, to: file) })
    #expect(try folder.bytes(of: file) == before)
    let nowhere = folder.path.appending("no/such/folder/x")
    let error = failure { try SafeTensors.write([("x", Tensor([1.0]))], to: nowhere) }
    #expect(error?.code == .fileSystem)
    #expect(error?.message.contains("no/such/folder/x") == true)
    #expect(folder.names == ["kept"])
  }

  @Test func filesThatAreNotThereAreNamed() {
    let error = failure { _ = try SafeTensors(contentsOf: folder.path.appending("nothing")) }
    #expect(error?.code == .fileSystem)
    #expect(error?.message.contains("nothing") == true)
    #expect(throwing(.fileSystem) { _ = try SafeTensors(contentsOf: folder.path) })
  }

  @Test(arguments: [
    ("", "8"),
    ("\u{5}\0\0\0", "8"),
    ("{}", "fit"),
    ("no json", "JSON"),
    (#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "truncated"),
    (#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, "size"),
    (#"{"x":{"dtype":"Q7","shape":[1],"data_offsets":[0,4]}}"#, "Q7"),
    (#"{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, "size"),
    (#"{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, "size"),
    (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, "truncated"),
    (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, "truncated"),
    (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, "truncated"),
    (#"{"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#, "4 bytes at its end"),
    (#"{"x":{"shape":[1],"data_offsets":[0,4]}}"#, "JSON"),
    (
      #"{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"#
        + #""y":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#, "gap"
    ),
    (#"{"x":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#, "gap"),
    (#"{"x":{"note":"text"}}"#, "dtype"),
    (#"{"__metadata__":{"n":1}}"#, "JSON"),
  ])
  func damagedHeadersAreRefused(_ header: String, _ word: String) throws {
    let path = folder.path.appending("damaged")
    var content = Data()
    if header.hasPrefix("{") || header == "no json" {
      let claimed = header == "{}" ? UInt64.max : UInt64(header.utf8.count)
      content = withUnsafeBytes(of: claimed.littleEndian) { Data($0) }
      content += Data(header.utf8) + Data([1, 2, 3, 4])
    } else {
      content = Data(header.utf8)
    }
    _ = try folder.file("damaged", Array(content))
    let error = failure { _ = try SafeTensors(contentsOf: path) }
    #expect(error?.code == .malformedFile)
    #expect(error?.message.contains(word) == true, "\(error?.message ?? "no error")")
    #expect(error?.message.contains("damaged") == true)
  }

  @Test func noMutationIsMoreThanAnError() throws {
    let path = folder.path.appending("mutated")
    try SafeTensors.write(everyDType(), metadata: ["a": "b"], to: path)
    let original = try folder.bytes(of: path)
    expectDamageIsRefused(as: TensorError.self, in: original, key: RandomKey(seed: 1)) { bytes in
      let file = try SafeTensors(contentsOf: folder.file("damaged", bytes))
      for name in file.names { _ = try file.tensor(name).to(.float32).sum() }
    }
  }
}

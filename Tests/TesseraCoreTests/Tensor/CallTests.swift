import Foundation
import TesseraCore
import TesseraTesting
import Testing

@Suite struct CallTests {
  @Test func anOperatorWithoutASwiftFunctionIsReached() throws {
    let x = try Tensor([1.0, 2, 3])
    expectClose(try Tensor.call("aten::roll", .tensor(x), .ints([1])).single(), [3, 1, 2])
    expectClose(try Tensor.call("aten::add.Scalar", .tensor(x), .int(1)).single(), [2, 3, 4])
    expectClose(
      try Tensor.call("aten::add.Tensor", .tensor(x), .tensor(x), named: ["alpha": .double(0.5)])
        .single(),
      [1.5, 3, 4.5]
    )
    expectClose(try Tensor.call("aten::hstack", .tensors([x, x])).single(), [1, 2, 3, 1, 2, 3])
    #expect(try Tensor.call("aten::chunk", .tensor(x), .int(3)).count == 3)
    #expect(try Tensor.call("aten::unbind.int", .tensor(x)).count == 3)
    expectClose(
      try Tensor.call("aten::quantile", .tensor(x), .tensor(Tensor([0.5])), .none).single(),
      [2]
    )
    expectClose(
      try Tensor.call(
        "aten::index.Tensor",
        .tensor(Tensor([1.0, 2], shape: [1, 2])),
        .optionalTensors([nil, Tensor([1])])
      ).single(),
      [2]
    )
    let generator = try Generator(seed: 1)
    let drawn = try Tensor.call(
      "aten::rand.generator",
      .ints([4]),
      .generator(generator),
      named: ["dtype": .dtype(.float64), "device": .device(.cpu)]
    ).single()
    #expect(drawn.dtype == .float64)
    expectClose(drawn, try Tensor.uniform([4], dtype: .float64, using: Generator(seed: 1)))
  }

  @Test func numbersComeBackAsTensors() throws {
    let size = try Tensor.call("aten::size.int", .tensor(Tensor.zeros([4, 2])), .int(0)).single()
    #expect(try size.itemAsInteger() == 4)
  }

  @Test func badCallsAreErrorsThatNameTheArgument() throws {
    let x = try Tensor([1.0])
    #expect(throwing(.unsupported) { _ = try Tensor.call("aten::no_such_operator") })
    #expect(throwing(.unsupported) { _ = try Tensor.call("nonsense") })
    #expect(throwing(.unsupported) { _ = try Tensor.call("") })
    let cases: [(String, () throws -> [Tensor])] = [
      ("takes", { try Tensor.call("aten::relu", .tensor(x), .int(1), .int(2)) }),
      ("self", { try Tensor.call("aten::relu") }),
      ("self", { try Tensor.call("aten::relu", .string("x")) }),
      ("self", { try Tensor.call("aten::relu", .none) }),
      ("shifts", { try Tensor.call("aten::roll", .tensor(x), .doubles([0.5])) }),
      ("nonsense", { try Tensor.call("aten::relu", .tensor(x), named: ["nonsense": .int(1)]) }),
      ("in place", { try Tensor.call("aten::relu_", .tensor(x)) }),
      ("tensors", { try Tensor.call("aten::cat", .optionalTensors([x, nil]), .int(0)) }),
    ]
    for (word, call) in cases {
      let error = failure { _ = try call() }
      #expect(error?.message.contains(word) == true, "\(error?.message ?? "no error"): \(word)")
    }
  }

  @Test func aResultThatWasNotAskedForIsAnError() throws {
    let x = try Tensor.ones([1, 1, 3])
    func gradients(_ wanted: [Bool]) throws -> [Tensor] {
      try Tensor.call(
        "aten::convolution_backward",
        .tensor(x),
        .tensor(x),
        .tensor(Tensor.ones([1, 1, 1])),
        .none,
        .ints([1]),
        .ints([0]),
        .ints([1]),
        .bool(false),
        .ints([0]),
        .int(1),
        .bools(wanted)
      )
    }
    #expect(try gradients([true, true, true]).count == 3)
    let error = failure { _ = try gradients([true, false, false]) }
    #expect(error?.code == .unsupported)
    #expect(error?.message.contains("result 1 is undefined") == true)
  }

  @Test func anOperatorThatWritesToItsArgumentsLeavesOursAlone() throws {
    let mean = try Tensor.zeros([2])
    let variance = try Tensor.ones([2])
    let normalized = try Tensor.call(
      "aten::batch_norm",
      .tensor(Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])),
      .none,
      .none,
      .tensor(mean),
      .tensor(variance),
      .bool(true),
      .double(0.1),
      .double(0),
      .bool(false)
    ).single()
    expectClose(normalized, [-1, -1, 1, 1])
    expectClose(mean, [0, 0])
    expectClose(variance, [1, 1])
  }

  @Test func anyNumberOfResultsComesBack() throws {
    let x = try Tensor.range(0..<1000)
    let pieces = try x.split(into: [Int](repeating: 1, count: 1000))
    #expect(try concatenate(pieces).isIdentical(to: x))
    #expect(try Tensor.call("aten::split_with_sizes", .tensor(x), .ints([1000])).count == 1)
    #expect(try x.slices(in: 0..<0).split(into: []).isEmpty)
  }

  @Test func severalResultsAreNotTakenForOne() throws {
    let x = try Tensor([1.0, 2])
    #expect(
      throwing(.invalidArgument) {
        _ = try Tensor.call("aten::unbind.int", .tensor(x)).single()
      }
    )
  }

  /// A new LibTorch may change what an operator takes.
  ///
  /// The build does not see that in names, so this test does. To renew the list: `TESSERA_WRITE_SCHEMAS=1 ./test operatorsCalledByNameHaveTheSchemasWeRelyOn`.
  @Test func operatorsCalledByNameHaveTheSchemasWeRelyOn() throws {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let list = tests.appending(path: "Fixtures/schemas.txt")
    let sources = tests.appending(path: "../../Sources").standardizedFileURL
    let files = try #require(
      FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
    )
    var names: Set<String> = []
    for case let file as URL in files where file.pathExtension == "swift" {
      let text = try String(contentsOf: file, encoding: .utf8)
        .split(separator: "\n").filter { !$0.contains("///") }.joined(separator: "\n")
      names.formUnion(text.matches(of: /"(aten::[\w.]+)"/).map { String($0.1) })
    }
    let schemas = try names.sorted().map { try Tensor.schema(of: $0) + "\n" }.joined()
    if ProcessInfo.processInfo.environment["TESSERA_WRITE_SCHEMAS"] != nil {
      try schemas.write(to: list, atomically: true, encoding: .utf8)
    }
    #expect(names.count > 10)
    #expect(try schemas == String(contentsOf: list, encoding: .utf8))
  }
}

import Tessera

func tensors() throws {
  let x = try Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
  let y = try (x.matmul(x) + 1).mean(along: 0)
  let numbers = try y.array(of: Float.self)  // [12, 17]
  print("tensors:", numbers)

  do {
    _ = try Tensor.zeros([2, 3]).matmul(Tensor.zeros([4, 5]))
  } catch let error as TensorError where error.code == .shapeMismatch {
    print(error)  // mm: mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)
  }

  let rolled = try Tensor.call("aten::roll", .tensor(x), .ints([1]), .ints([0])).single()
  print("rolled:", try rolled.array(of: Float.self))
}

func gradients() throws {
  let w = try Tensor([3.0]).asVariable()
  let slope = try (w * w).sum().gradients(for: [w])[0]  // 6
  print("slope:", try slope.item())
}

    lea rcx, [ROOT]
    mov rax, QWORD PTR [.got]
    add rcx, QWORD PTR fs:[rax]
    cmp rdi, 0x400
    ja allocate_slow
    lea rax, [rdi+0xf]
    shr rax, 0x4
    lea rdx, [.rodata]
    movzx edx, BYTE PTR [rax+rdx*1]
    mov rax, QWORD PTR [rcx+rdx*8+0x8]
    test rax, rax
    je allocate_slow
    mov rsi, QWORD PTR [rax]
    mov QWORD PTR [rcx+rdx*8+0x8], rsi
    mov QWORD PTR [rax+0x8], 0x0
    ret
